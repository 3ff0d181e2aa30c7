//! `wasi:sockets`, as stubs that trap: there is no code behind them that could open a socket.
//!
//! Language runtimes import these interfaces without using them, so they must link. The names
//! are written out, since filling in whatever a component wants would also invent types for
//! our own interfaces.

use crate::state::StepState;
use wasmtime::component::{Linker, LinkerInstance, ResourceType};

/// A guest called a socket function.
#[derive(Debug, thiserror::Error)]
#[error("`{0}`: a step has no sockets, only the connections that it is granted")]
pub(crate) struct SocketsDenied(String);

/// Stands for every resource of these interfaces; none is ever made.
struct Nothing;

struct Stub {
    interface: &'static str,
    resources: &'static [&'static str],
    functions: &'static [&'static str],
}

/// The version that is linked; wasmtime matches all of 0.2.
const VERSION: &str = "0.2.12";

const STUBS: &[Stub] = &[
    Stub {
        interface: "wasi:sockets/network",
        resources: &["network"],
        functions: &["network-error-code"],
    },
    Stub {
        interface: "wasi:sockets/instance-network",
        resources: &[],
        functions: &["instance-network"],
    },
    Stub {
        interface: "wasi:sockets/ip-name-lookup",
        resources: &["resolve-address-stream"],
        functions: &[
            "[method]resolve-address-stream.resolve-next-address",
            "[method]resolve-address-stream.subscribe",
            "resolve-addresses",
        ],
    },
    Stub {
        interface: "wasi:sockets/tcp",
        resources: &["tcp-socket"],
        functions: &[
            "[method]tcp-socket.accept",
            "[method]tcp-socket.address-family",
            "[method]tcp-socket.finish-bind",
            "[method]tcp-socket.finish-connect",
            "[method]tcp-socket.finish-listen",
            "[method]tcp-socket.hop-limit",
            "[method]tcp-socket.is-listening",
            "[method]tcp-socket.keep-alive-count",
            "[method]tcp-socket.keep-alive-enabled",
            "[method]tcp-socket.keep-alive-idle-time",
            "[method]tcp-socket.keep-alive-interval",
            "[method]tcp-socket.local-address",
            "[method]tcp-socket.receive-buffer-size",
            "[method]tcp-socket.remote-address",
            "[method]tcp-socket.send-buffer-size",
            "[method]tcp-socket.set-hop-limit",
            "[method]tcp-socket.set-keep-alive-count",
            "[method]tcp-socket.set-keep-alive-enabled",
            "[method]tcp-socket.set-keep-alive-idle-time",
            "[method]tcp-socket.set-keep-alive-interval",
            "[method]tcp-socket.set-listen-backlog-size",
            "[method]tcp-socket.set-receive-buffer-size",
            "[method]tcp-socket.set-send-buffer-size",
            "[method]tcp-socket.shutdown",
            "[method]tcp-socket.start-bind",
            "[method]tcp-socket.start-connect",
            "[method]tcp-socket.start-listen",
            "[method]tcp-socket.subscribe",
        ],
    },
    Stub {
        interface: "wasi:sockets/tcp-create-socket",
        resources: &[],
        functions: &["create-tcp-socket"],
    },
    Stub {
        interface: "wasi:sockets/udp",
        resources: &["udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"],
        functions: &[
            "[method]incoming-datagram-stream.receive",
            "[method]incoming-datagram-stream.subscribe",
            "[method]outgoing-datagram-stream.check-send",
            "[method]outgoing-datagram-stream.send",
            "[method]outgoing-datagram-stream.subscribe",
            "[method]udp-socket.address-family",
            "[method]udp-socket.finish-bind",
            "[method]udp-socket.local-address",
            "[method]udp-socket.receive-buffer-size",
            "[method]udp-socket.remote-address",
            "[method]udp-socket.send-buffer-size",
            "[method]udp-socket.set-receive-buffer-size",
            "[method]udp-socket.set-send-buffer-size",
            "[method]udp-socket.set-unicast-hop-limit",
            "[method]udp-socket.start-bind",
            "[method]udp-socket.stream",
            "[method]udp-socket.subscribe",
            "[method]udp-socket.unicast-hop-limit",
        ],
    },
    Stub {
        interface: "wasi:sockets/udp-create-socket",
        resources: &[],
        functions: &["create-udp-socket"],
    },
];

/// The interfaces linked here, without version.
pub(crate) fn interfaces() -> impl Iterator<Item = &'static str> {
    STUBS.iter().map(|stub| stub.interface)
}

pub(crate) fn link(linker: &mut Linker<StepState>) -> wasmtime::Result<()> {
    for stub in STUBS {
        let mut instance = linker.instance(&format!("{}@{VERSION}", stub.interface))?;
        for resource in stub.resources {
            instance.resource(resource, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
        }
        for function in stub.functions {
            trap(&mut instance, stub.interface, function)?;
        }
    }
    Ok(())
}

fn trap(
    instance: &mut LinkerInstance<'_, StepState>,
    interface: &str,
    function: &str,
) -> wasmtime::Result<()> {
    let name = format!("{interface}.{function}");
    instance.func_new(function, move |_, _, _, _| Err(SocketsDenied(name.clone()).into()))
}

//! Which addresses a connection may lead to, whatever a name server says.
//!
//! A name is resolved here, once for each new socket, and every answer is looked at; the client
//! connects to what is left and to nothing else, so there is no second look-up that could differ.
//! Knows nothing of HTTP beyond the two clients' seams for a resolver.

use effects::Layer;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Looks a name up.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Into the world.
    Public,
    /// To this machine or into a private network: only where the operator wrote the host.
    Private,
    /// Where no service is that a connection could mean: metadata of clouds, every host, no host.
    Never,
}

/// A host leads to no address that may be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{host}` leads to {found}, where this connection may not go; an address in a private network \
     must be written into the connection's own settings, and one of a cloud's metadata is never good"
)]
pub(crate) struct AddressDenied {
    host: String,
    found: String,
}

/// Decides about addresses, and resolves names.
#[derive(Clone)]
pub(crate) struct Guard {
    /// Hosts that the operator wrote; these may be in private networks.
    written: Arc<BTreeSet<String>>,
    lookup: Lookup,
}

impl Guard {
    /// One for a connection for which the operator wrote the hosts `written`.
    pub(crate) fn new<'a>(written: impl IntoIterator<Item = &'a str>) -> Self {
        Self::with_lookup(written, Arc::new(|host| Box::pin(look_up(host))))
    }

    fn with_lookup<'a>(written: impl IntoIterator<Item = &'a str>, lookup: Lookup) -> Self {
        let written = written.into_iter().map(plain).collect();
        Self { written: Arc::new(written), lookup }
    }

    /// Whether a host may be used that is an address itself, and so is never looked up. A name
    /// passes: its addresses are looked at when they are known.
    pub(crate) fn check_literal(&self, host: &str) -> Result<(), AddressDenied> {
        match plain(host).parse::<IpAddr>() {
            Ok(address) if !self.allows(host, address) => Err(denied(host, &[address])),
            _ => Ok(()),
        }
    }

    /// The addresses of `host` that may be used.
    async fn resolve(self, host: String) -> Result<Vec<SocketAddr>, BoxError> {
        let found = (self.lookup)(host.clone()).await?;
        let good: Vec<SocketAddr> = found
            .iter()
            .filter(|address| self.allows(&host, **address))
            .map(|address| SocketAddr::new(*address, 0))
            .collect();
        if good.is_empty() && !found.is_empty() {
            return Err(Box::new(denied(&host, &found)));
        }
        Ok(good)
    }

    fn allows(&self, host: &str, address: IpAddr) -> bool {
        if !Layer::Address.on() {
            return true;
        }
        match place(address) {
            Place::Public => true,
            Place::Private => self.written.contains(&plain(host)),
            Place::Never => false,
        }
    }
}

impl reqwest::dns::Resolve for Guard {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let resolving = self.clone().resolve(name.as_str().to_owned());
        Box::pin(async move {
            let addresses: reqwest::dns::Addrs = Box::new(resolving.await?.into_iter());
            Ok(addresses)
        })
    }
}

impl tower::Service<hyper_util::client::legacy::connect::dns::Name> for Guard {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: hyper_util::client::legacy::connect::dns::Name) -> Self::Future {
        let resolving = self.clone().resolve(name.as_str().to_owned());
        Box::pin(async move { Ok(resolving.await?.into_iter()) })
    }
}

async fn look_up(host: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// One spelling for a host: as URLs and as resolvers write it.
fn plain(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

fn denied(host: &str, found: &[IpAddr]) -> AddressDenied {
    let mut shown: Vec<String> = found.iter().take(4).map(ToString::to_string).collect();
    if found.len() > shown.len() {
        shown.push("more".to_owned());
    }
    AddressDenied { host: host.to_owned(), found: shown.join(", ") }
}

fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(v4) => place_v4(v4),
        IpAddr::V6(v6) => place_v6(v6),
    }
}

fn place_v4(v4: Ipv4Addr) -> Place {
    let [a, b, c, _] = v4.octets();
    let metadata = [
        // Alibaba Cloud's and Azure's; those of the others are link-local.
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(168, 63, 129, 16),
        // Oracle Cloud's older one.
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    if a == 0
        || v4.is_multicast()
        || v4.is_broadcast()
        || v4.is_link_local()
        || metadata.contains(&v4)
    {
        return Place::Never;
    }
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (b == 18 || b == 19);
    let protocols = (a, b, c) == (192, 0, 0);
    if v4.is_loopback() || v4.is_private() || shared || benchmark || protocols || a >= 240 {
        return Place::Private;
    }
    Place::Public
}

fn place_v6(v6: Ipv6Addr) -> Place {
    if v6.is_loopback() {
        return Place::Private;
    }
    if let Some(v4) = inner_v4(v6) {
        return place_v4(v4);
    }
    let first = v6.segments()[0];
    let ec2 = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let link_local = first & 0xffc0 == 0xfe80;
    if v6.is_unspecified() || v6.is_multicast() || link_local || v6 == ec2 {
        return Place::Never;
    }
    // Unique local, the older site-local, a network's own translation to IPv4, tunnels.
    let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0;
    let translated = v6.segments()[..3] == [0x64, 0xff9b, 1];
    let teredo = v6.segments()[..2] == [0x2001, 0];
    if local || translated || teredo { Place::Private } else { Place::Public }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated, tunnelled.
fn inner_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => of(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if !v6.is_unspecified() => of(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A guard that answers every look-up with `addresses`.
    pub(crate) fn guard_that_finds(written: &[&str], addresses: &[&str]) -> Guard {
        let found: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let lookup: Lookup = Arc::new(move |_host| {
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        });
        Guard::with_lookup(written.iter().copied(), lookup)
    }

    #[test]
    fn e13_where_each_address_leads() {
        let cases = [
            ("93.184.216.34", Place::Public),
            ("2606:2800:220:1:248:1893:25c8:1946", Place::Public),
            ("127.0.0.1", Place::Private),
            ("127.9.9.9", Place::Private),
            ("::1", Place::Private),
            ("10.1.2.3", Place::Private),
            ("172.31.255.255", Place::Private),
            ("172.32.0.1", Place::Public),
            ("192.168.1.1", Place::Private),
            ("100.64.0.1", Place::Private),
            ("100.127.255.255", Place::Private),
            ("100.128.0.1", Place::Public),
            ("fd12:3456::1", Place::Private),
            ("fec0::1", Place::Private),
            ("::ffff:10.0.0.1", Place::Private),
            ("::ffff:93.184.216.34", Place::Public),
            ("64:ff9b::a00:1", Place::Private),
            ("2002:7f00:1::", Place::Private),
            ("240.0.0.1", Place::Private),
            ("0.0.0.0", Place::Never),
            ("0.1.2.3", Place::Never),
            ("::", Place::Never),
            ("169.254.169.254", Place::Never),
            ("::ffff:169.254.169.254", Place::Never),
            ("::169.254.169.254", Place::Never),
            ("64:ff9b::a9fe:a9fe", Place::Never),
            ("2002:a9fe:a9fe::1", Place::Never),
            ("fe80::1", Place::Never),
            ("fd00:ec2::254", Place::Never),
            ("100.100.100.200", Place::Never),
            ("168.63.129.16", Place::Never),
            ("224.0.0.1", Place::Never),
            ("ff02::1", Place::Never),
            ("255.255.255.255", Place::Never),
        ];
        for (text, expected) in cases {
            assert_eq!(place(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn e13_every_answer_of_a_resolver_is_looked_at() {
        let cases: [(&[&str], &[&str], &[&str]); 5] = [
            (&[], &["93.184.216.34", "169.254.169.254"], &["93.184.216.34"]),
            (&[], &["10.0.0.1", "::1", "93.184.216.34"], &["93.184.216.34"]),
            (&["API.example.com."], &["10.0.0.1", "fd00:ec2::254"], &["10.0.0.1"]),
            (&["api.example.com"], &["::ffff:169.254.169.254", "0.0.0.0"], &[]),
            (&["other.example.com"], &["10.0.0.1"], &[]),
        ];
        for (written, found, expected) in cases {
            let guard = guard_that_finds(written, found);
            match guard.resolve("api.example.com".to_owned()).await {
                Ok(good) => {
                    let good: Vec<String> = good.iter().map(|a| a.ip().to_string()).collect();
                    assert_eq!(good, expected, "{found:?}");
                }
                Err(error) => {
                    assert!(expected.is_empty(), "{found:?}: {error}");
                    assert!(error.is::<AddressDenied>(), "{error}");
                }
            }
        }
    }

    #[test]
    fn e14_an_address_that_the_operator_wrote_may_be_private_and_never_metadata() {
        let guard = Guard::new(["127.0.0.1", "[fd12::1]", "169.254.169.254"]);
        let cases = [
            ("127.0.0.1", true),
            ("[fd12::1]", true),
            ("10.0.0.1", false),
            ("[::1]", false),
            ("169.254.169.254", false),
            ("[::ffff:169.254.169.254]", false),
            ("93.184.216.34", true),
            ("name.example.com", true),
        ];
        for (host, expected) in cases {
            assert_eq!(guard.check_literal(host).is_ok(), expected, "{host}");
        }
    }
}

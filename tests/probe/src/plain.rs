//! Orders that need no connection: log, outputs, time, memory, the system, and how to end.

use crate::bindings::types::{Disposition, Failure};
use crate::bindings::{log, runtime};
use crate::script::{Done, Order, ok};
use crate::{Held, bad};
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// Outlives a call of `run` if the instance does.
static REMEMBERED: Mutex<Option<String>> = Mutex::new(None);

/// Does it.
pub(crate) fn perform(
    context: &runtime::Context,
    held: &mut Held,
    verb: &str,
    order: Order<'_>,
) -> Result<Done, Failure> {
    let answer = match verb {
        "log" => write_log(order),
        "print" => print(order),
        "set-output" => set_output(context, order),
        "progress" => {
            for number in 0..order.times() {
                let done = order.number("done").unwrap_or(number);
                context.progress(done, order.number("total"), order.text("note"));
            }
            ok(true)
        }
        "spin-ms" => spin(order.0.as_u64().unwrap_or(0)),
        "sleep" => ok(context.sleep(order.0.as_u64().unwrap_or(0))),
        "nap" => {
            std::thread::sleep(Duration::from_millis(order.0.as_u64().unwrap_or(0)));
            ok(true)
        }
        "allocate" => {
            let bytes = usize::try_from(order.0.as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
            let mut memory = Vec::new();
            let reserved = memory.try_reserve_exact(bytes).is_ok();
            if reserved {
                memory.resize(bytes, 1_u8);
                held.memory.push(memory);
            }
            ok(reserved)
        }
        "facts" => facts(context),
        "environment" => environment(),
        "clock" => clock(order),
        "random" => random(order),
        "connect" => connect(order),
        "read-file" => match std::fs::read(order.0.as_str().unwrap_or_default()) {
            Ok(bytes) => ok(json!({ "bytes": bytes.len() })),
            Err(error) => ok(error.to_string()),
        },
        "remember" => {
            *REMEMBERED.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                order.0.as_str().map(str::to_owned);
            ok(true)
        }
        "recall" => ok(Value::from(
            REMEMBERED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
        )),
        "leak" => ok(true),
        "echo" => ok(order.0.clone()),
        "return" => return Ok(Done::Ended(order.0.as_str().unwrap_or_default().to_owned())),
        "fail" => return Err(failure(order)),
        "exit" => exit(order),
        "panic" => panic!("{}", order.0.as_str().unwrap_or_default()),
        other => return Err(bad(&format!("`{other}` is no order"))),
    };
    Ok(Done::Answered(answer))
}

fn write_log(order: Order<'_>) -> Value {
    let level = match order.text("level") {
        "trace" => log::Level::Trace,
        "debug" => log::Level::Debug,
        "warn" => log::Level::Warn,
        "error" => log::Level::Error,
        _ => log::Level::Info,
    };
    let message = order.bytes("message").unwrap_or_default();
    let message = String::from_utf8_lossy(&message);
    let fields = order.pairs("fields");
    for _ in 0..order.times() {
        log::write(level, &message, &fields);
    }
    ok(true)
}

/// Prints each of `pieces` by itself, so that the host sees several writes.
fn print(order: Order<'_>) -> Value {
    let pieces: Vec<Vec<u8>> = match order.0["pieces"].as_array() {
        Some(pieces) => pieces
            .iter()
            .map(|piece| Order(&json!({ "piece": piece })).bytes("piece").unwrap_or_default())
            .collect(),
        None => vec![order.bytes("text").unwrap_or_default()],
    };
    let mut written = true;
    for _ in 0..order.times() {
        for piece in &pieces {
            written &= match order.text("to") {
                "stderr" => std::io::stderr().write_all(piece).is_ok(),
                _ => {
                    let mut out = std::io::stdout();
                    out.write_all(piece).and_then(|()| out.flush()).is_ok()
                }
            };
        }
    }
    ok(written)
}

fn set_output(context: &runtime::Context, order: Order<'_>) -> Value {
    let name = order.text("name");
    let numbered = order.times() > 1;
    for number in 0..order.times() {
        let name = if numbered { format!("{name}{number}") } else { name.to_owned() };
        let value = match order.number("bytes") {
            Some(count) => format!("\"{}\"", "x".repeat(usize::try_from(count).unwrap_or(0))),
            None => order.json("value"),
        };
        if let Err(message) = context.set_output(&name, &value) {
            return json!({ "error": { "message": message, "number": number } });
        }
    }
    ok(true)
}

fn spin(ms: u64) -> Value {
    let began = Instant::now();
    let mut rounds = 0_u64;
    while began.elapsed() < Duration::from_millis(ms) {
        rounds = std::hint::black_box(rounds + 1);
    }
    ok(rounds)
}

fn facts(context: &runtime::Context) -> Value {
    ok(json!({
        "run": context.run_id(), "step": context.step_name(), "attempt": context.attempt(),
        "key": context.idempotency_key(), "remaining-ms": context.remaining_ms(),
        "cancelled": context.cancelled(), "debug": log::enabled(log::Level::Debug),
    }))
}

fn environment() -> Value {
    let variables: Vec<String> =
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let folder = std::fs::read_dir("/").map(Iterator::count).map_err(|error| error.to_string());
    ok(json!({
        "variables": variables,
        "arguments": std::env::args_os().count(),
        "folder": format!("{folder:?}"),
        "current": format!("{:?}", std::env::current_dir().is_ok()),
    }))
}

#[expect(clippy::disallowed_methods, reason = "what the host makes of it is what is tried")]
fn exit(order: Order<'_>) -> ! {
    std::process::exit(i32::try_from(order.0.as_i64().unwrap_or(0)).unwrap_or(1))
}

/// Reads both clocks many times: the steps between readings that differ, and whether one went back.
#[expect(clippy::disallowed_methods, reason = "what the clock tells is what is tried")]
fn clock(order: Order<'_>) -> Value {
    let began = Instant::now();
    let (mut steps, mut back) = (Vec::new(), false);
    let (mut last, mut wall) = (began, SystemTime::now());
    for _ in 0..order.times() {
        let now = Instant::now();
        if now != last {
            back |= now < last;
            steps.push(u64::try_from(now.duration_since(began).as_nanos()).unwrap_or(u64::MAX));
            last = now;
        }
        let read = SystemTime::now();
        back |= read < wall;
        wall = read;
    }
    steps.truncate(64);
    let wall = wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    ok(json!({
        "steps": steps, "back": back, "wall-nanos": u64::try_from(wall).unwrap_or(u64::MAX),
    }))
}

fn random(order: Order<'_>) -> Value {
    let count = usize::try_from(order.0.as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; count];
    let filled = getrandom::fill(&mut bytes).is_ok();
    ok(json!({ "filled": filled, "zeros": bytes.iter().filter(|byte| **byte == 0).count() }))
}

fn connect(order: Order<'_>) -> Value {
    match std::net::TcpStream::connect(order.0.as_str().unwrap_or_default()) {
        Ok(_) => ok("connected"),
        Err(error) => ok(error.to_string()),
    }
}

fn failure(order: Order<'_>) -> Failure {
    Failure {
        disposition: match order.text("disposition") {
            "retryable" => Disposition::Retryable,
            "cancelled" => Disposition::Cancelled,
            _ => Disposition::Permanent,
        },
        code: order.text("code").to_owned(),
        message: String::from_utf8_lossy(&order.bytes("message").unwrap_or_default()).into_owned(),
        retry_after_ms: order.number("retry-after-ms"),
        details: order.0.get("details").map(|_| order.json("details")),
    }
}

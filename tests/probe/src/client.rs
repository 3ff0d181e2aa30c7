//! Orders about HTTP connections.

use crate::Held;
use crate::bindings::{http, runtime};
use crate::script::{Order, ok, refused, unknown_handle};
use serde_json::{Value, json};

/// Bytes asked for at once when the order does not say.
const PIECE_BYTES: u32 = 64 << 10;

/// Does it, if it is one of these.
pub(crate) fn perform(
    context: &runtime::Context,
    held: &mut Held,
    verb: &str,
    order: Order<'_>,
) -> Option<Value> {
    Some(match verb {
        "open" => open(context, held, order),
        "open-many" => open_many(context, held, order),
        "send" => send(held, order),
        "send-all" => send_all(held, order),
        "read" => match held.responses.get(order.text("response")) {
            Some(response) => read_once(response, order),
            None => unknown_handle(),
        },
        "restrict" => restrict(held, order),
        "scope" => match held.clients.get(order.text("handle")) {
            Some(client) => ok(client.scope()),
            None => unknown_handle(),
        },
        "drop" => {
            let name = order.text("handle");
            let dropped = held.clients.remove(name).is_some()
                | held.responses.remove(name).is_some()
                | held.clusters.remove(name).is_some()
                | held.watchers.remove(name).is_some();
            ok(dropped)
        }
        _ => return None,
    })
}

/// `{"open": "slot", "as": "name"}` is written `{"open": {"slot": …, "as": …}}`.
fn open(context: &runtime::Context, held: &mut Held, order: Order<'_>) -> Value {
    match http::Client::open(context, order.text("slot")) {
        Ok(client) => {
            held.clients.insert(order.text("as").to_owned(), client);
            ok(true)
        }
        Err(error) => refused(&error),
    }
}

/// Opens again and again, keeping each handle, until the host says no.
fn open_many(context: &runtime::Context, held: &mut Held, order: Order<'_>) -> Value {
    for number in 0..order.times() {
        match http::Client::open(context, order.text("slot")) {
            Ok(client) => held.clients.insert(format!("many-{number}"), client),
            Err(error) => return json!({ "opened": number, "error": refused(&error)["error"] }),
        };
    }
    ok(order.times())
}

fn request(order: Order<'_>) -> http::Request {
    http::Request {
        method: order.text_maybe("method").unwrap_or_else(|| "GET".to_owned()),
        path: order.text_maybe("path").unwrap_or_else(|| "/".to_owned()),
        headers: order.pairs("headers"),
        body: order.bytes("body"),
        timeout_ms: order.number("timeout-ms"),
    }
}

/// With `learn` the body is kept, backwards: a guest can turn round what no filter knows.
fn send(held: &mut Held, order: Order<'_>) -> Value {
    let Some(client) = held.clients.get(order.text("handle")) else { return unknown_handle() };
    let mut last = Value::Null;
    for _ in 0..order.times() {
        last = match client.send(&request(order)) {
            Err(error) => return refused(&error),
            Ok(response) => match order.text_maybe("as") {
                Some(name) => {
                    let status = response.status();
                    held.responses.insert(name, response);
                    ok(json!({ "status": status }))
                }
                None => {
                    let answer = whole(&response, order);
                    if let (Some(name), Some(body)) =
                        (order.text_maybe("learn"), answer["ok"]["body"].as_str())
                    {
                        held.learnt.insert(name, body.chars().rev().collect());
                    }
                    answer
                }
            },
        };
    }
    last
}

fn send_all(held: &mut Held, order: Order<'_>) -> Value {
    let Some(client) = held.clients.get(order.text("handle")) else { return unknown_handle() };
    let requests: Vec<http::Request> = match order.0["requests"].as_array() {
        Some(requests) => requests.iter().map(|one| request(Order(one))).collect(),
        None => (0..order.times()).map(|_| request(order)).collect(),
    };
    let answers = client.send_all(&requests);
    let shown = answers.iter().take(64).map(|answer| match answer {
        Ok(response) => whole(response, order),
        Err(error) => refused(error),
    });
    json!({ "count": answers.len(), "ok": shown.collect::<Vec<_>>() })
}

/// Status, headers and the whole body, of which the first bytes are given back.
fn whole(response: &http::Response, order: Order<'_>) -> Value {
    let piece = order.small("max").unwrap_or(PIECE_BYTES);
    let mut body = Vec::new();
    loop {
        match response.read(piece) {
            Ok(Some(bytes)) => body.extend(bytes),
            Ok(None) => break,
            Err(error) => return refused(&error),
        }
    }
    let shown = &body[..body.len().min(order.shown())];
    ok(json!({
        "status": response.status(), "headers": response.headers(), "bytes": body.len(),
        "body": String::from_utf8_lossy(shown),
    }))
}

fn read_once(response: &http::Response, order: Order<'_>) -> Value {
    match response.read(order.small("max").unwrap_or(PIECE_BYTES)) {
        Ok(Some(bytes)) => ok(json!({ "bytes": bytes.len() })),
        Ok(None) => ok(Value::Null),
        Err(error) => refused(&error),
    }
}

/// Restricts `times` in a row when the order repeats.
fn restrict(held: &mut Held, order: Order<'_>) -> Value {
    let mut from = order.text("handle").to_owned();
    for depth in 1..=order.times() {
        let Some(client) = held.clients.get(&from) else { return unknown_handle() };
        match client.restrict(&order.json("scope")) {
            Ok(weaker) => {
                from = order.text_maybe("as").unwrap_or_else(|| format!("depth-{depth}"));
                held.clients.insert(from.clone(), weaker);
            }
            Err(error) => {
                let mut answer = refused(&error);
                answer["depth"] = depth.into();
                return answer;
            }
        }
    }
    ok(true)
}

//! A guest that does what its inputs tell it: `{"do": [{"send": {…}}, …]}`, one try after the
//! other, and answers what each call answered.
//!
//! It is on the attacker's side: it uses the bare contract and not the SDK, so that nothing is
//! made good before it reaches the host. It must not decide what is right; the tests do.

mod bindings;
mod client;
mod cluster;
mod plain;
mod script;

use bindings::types::{Disposition, Failure};
use bindings::{Guest, http, kubernetes, runtime};
use script::{Done, Order};
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Probe;

/// What the guest holds while it runs.
#[derive(Default)]
struct Held {
    clients: BTreeMap<String, http::Client>,
    responses: BTreeMap<String, http::Response>,
    clusters: BTreeMap<String, kubernetes::Cluster>,
    watchers: BTreeMap<String, kubernetes::Watcher>,
    memory: Vec<Vec<u8>>,
    /// What was learnt, for use in later orders.
    learnt: BTreeMap<String, String>,
}

impl Guest for Probe {
    fn run(context: runtime::Context, inputs: String) -> Result<String, Failure> {
        let inputs: Value =
            serde_json::from_str(&inputs).map_err(|error| bad(&error.to_string()))?;
        let orders = inputs["do"].as_array().cloned().ok_or_else(|| bad("`do` is no list"))?;
        let mut held = Held::default();
        let mut results = Vec::with_capacity(orders.len());
        let leaks = orders.iter().any(|order| order.get("leak").is_some());
        let mut queue: std::collections::VecDeque<Value> = orders.into();
        while let Some(order) = queue.pop_front() {
            // A list for each attempt: well behaved first, hostile later.
            if let Some(by_attempt) = order.get("on-attempt") {
                let own = &by_attempt[context.attempt().to_string()];
                for order in own.as_array().into_iter().flatten().rev() {
                    queue.push_front(order.clone());
                }
                continue;
            }
            let order = held.fill_in(&order);
            match perform(&context, &mut held, &order)? {
                Done::Answered(answer) => results.push(answer),
                Done::Ended(text) => return Ok(text),
            }
        }
        if leaks {
            std::mem::forget(held);
            std::mem::forget(context);
        }
        Ok(json!({ "results": results }).to_string())
    }
}

impl Held {
    /// The order with `{{name}}` replaced by what was learnt under that name.
    fn fill_in(&self, order: &Value) -> Value {
        match order {
            Value::String(text) => {
                let filled = self.learnt.iter().fold(text.clone(), |text, (name, learnt)| {
                    text.replace(&format!("{{{{{name}}}}}"), learnt)
                });
                Value::String(filled)
            }
            Value::Array(items) => items.iter().map(|item| self.fill_in(item)).collect(),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, value)| (self.name(name), self.fill_in(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn name(&self, name: &str) -> String {
        match self.fill_in(&Value::from(name)) {
            Value::String(name) => name,
            _ => name.to_owned(),
        }
    }
}

/// Does one thing.
fn perform(context: &runtime::Context, held: &mut Held, order: &Value) -> Result<Done, Failure> {
    let Some((verb, arguments)) = order.as_object().and_then(|object| object.iter().next()) else {
        return Err(bad("an order is an object with one member"));
    };
    let order = Order(arguments);
    let answered = client::perform(context, held, verb, order)
        .or_else(|| cluster::perform(context, held, verb, order));
    match answered {
        Some(answer) => Ok(Done::Answered(answer)),
        None => plain::perform(context, held, verb, order),
    }
}

/// The script itself is wrong: a mistake in a test.
fn bad(message: &str) -> Failure {
    Failure {
        disposition: Disposition::Permanent,
        code: "probe.script".to_owned(),
        message: message.to_owned(),
        retry_after_ms: None,
        details: None,
    }
}

bindings::export!(Probe with_types_in bindings);

//! Which pages of which lists a cluster has begun: a `continue` token is taken back only for the
//! list that it was given out for.
//!
//! A token says where a list goes on, and a server believes it. One of another cluster, another
//! kind or another namespace, or one that was made up, never leaves the host. Only digests are kept.

use crate::bindings::kubernetes::Kind;
use effects::{CallError, Layer, digest};
use serde_json::Value;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Tokens that are remembered. The oldest is forgotten first, and its list must be begun again.
const TOKENS_MAX: usize = 16 << 10;

/// The tokens of one connection.
#[derive(Default)]
pub(crate) struct Pages(Mutex<Given>);

#[derive(Default)]
struct Given {
    known: HashSet<String>,
    in_order: VecDeque<String>,
}

impl Pages {
    /// Refuses a token that was not given out for this list.
    pub(crate) fn check(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        token: Option<&str>,
    ) -> Result<(), CallError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(()) };
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !Layer::Shape.on() || given.known.contains(&key(kind, namespace, token)) {
            return Ok(());
        }
        let message = "the continue token is not one of this list; read the list again from its \
                       beginning";
        Err(CallError::invalid("kubernetes.invalid-continue", message))
    }

    /// Remembers the token in a list's answer, if there is one.
    pub(crate) fn remember(&self, kind: &Kind, namespace: Option<&str>, list: &Value) {
        let token = list["metadata"]["continue"].as_str().filter(|token| !token.is_empty());
        let Some(token) = token else { return };
        let key = key(kind, namespace, token);
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if given.known.insert(key.clone()) {
            given.in_order.push_back(key);
        }
        while given.in_order.len() > TOKENS_MAX {
            if let Some(oldest) = given.in_order.pop_front() {
                given.known.remove(&oldest);
            }
        }
    }
}

fn key(kind: &Kind, namespace: Option<&str>, token: &str) -> String {
    let namespace = namespace.map_or_else(|| "all".to_owned(), |name| format!("in {name}"));
    let parts = [&kind.group, &kind.version, &kind.resource, &namespace, token];
    digest(&parts.map(str::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(resource: &str) -> Kind {
        Kind { group: String::new(), version: "v1".to_owned(), resource: resource.to_owned() }
    }

    #[test]
    fn f08_a_token_goes_on_with_its_own_list_only() {
        let (pages, pods) = (Pages::default(), kind("pods"));
        pages.remember(&pods, Some("web"), &json!({"metadata": {"continue": "t1"}}));
        let cases = [
            (kind("pods"), Some("web"), Some("t1"), true),
            (kind("pods"), Some("web"), None, true),
            (kind("pods"), Some("web"), Some(""), true),
            (kind("pods"), Some("web"), Some("t1x"), false),
            (kind("pods"), Some("other"), Some("t1"), false),
            (kind("pods"), None, Some("t1"), false),
            (kind("secrets"), Some("web"), Some("t1"), false),
        ];
        for (kind, namespace, token, expected) in cases {
            let answer = pages.check(&kind, namespace, token);
            assert_eq!(answer.is_ok(), expected, "{} {namespace:?} {token:?}", kind.resource);
        }
        assert!(Pages::default().check(&pods, Some("web"), Some("t1")).is_err(), "another cluster");
    }

    #[test]
    fn only_so_many_tokens_are_remembered() {
        let (pages, pods) = (Pages::default(), kind("pods"));
        for number in 0..=TOKENS_MAX {
            let list = json!({"metadata": {"continue": format!("t{number}")}});
            pages.remember(&pods, None, &list);
            pages.remember(&pods, None, &list);
        }
        assert!(pages.check(&pods, None, Some("t0")).is_err(), "the oldest");
        assert!(pages.check(&pods, None, Some("t1")).is_ok());
        assert_eq!(pages.0.lock().unwrap().known.len(), TOKENS_MAX);
    }
}

//! What must hold of the algebra whatever the rules and the calls are. Names come from small sets,
//! so that rules and calls meet often.

use super::{Binding, Effective, Party, Scope, http, kubernetes};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

const NAMES: &[&str] = &["web", "web-1", "db", "kube-system"];
const FIELDS: &[&str] = &["/spec", "/spec/template", "/spec/replicas", "/metadata/annotations"];
const SEGMENTS: &[&str] = &["api", "v2", "incidents", "7"];
const KEYS: &[&str] = &["page", "filter", "sort"];

fn pattern() -> impl Strategy<Value = String> {
    select(vec!["*", "web*", "web-*", "web", "web-1", "db"]).prop_map(str::to_owned)
}

fn kubernetes_rule() -> impl Strategy<Value = Value> {
    let kinds = select(vec!["*", "apps/*", "apps/deployments", "pods", "namespaces"]);
    let verbs = subsequence(kubernetes::VERBS.to_vec(), 1..=4);
    let fields = prop::option::of(subsequence(FIELDS.to_vec(), 1..=3));
    let subresource = prop::option::of(select(vec!["scale", "status"]));
    let names = (prop::option::of(pattern()), prop::option::of(pattern()));
    (kinds, verbs, fields, subresource, names).prop_map(|(kind, verbs, fields, sub, names)| {
        let mut rule = json!({ "verbs": verbs, "resource": kind });
        let (namespace, name) = names;
        let fields = fields.map(|fields| json!(fields));
        let optional = [
            ("fields", fields),
            ("subresource", sub.map(Into::into)),
            ("namespace", namespace.map(Into::into)),
            ("name", name.map(Into::into)),
        ];
        for (member, value) in optional {
            if let Some(value) = value {
                rule[member] = value;
            }
        }
        rule
    })
}

fn http_rule() -> impl Strategy<Value = Value> {
    let methods = select(vec!["*", "GET", "POST"]);
    let segment = prop_oneof![select(SEGMENTS).prop_map(str::to_owned), Just("{id}".to_owned())];
    let path = (prop::collection::vec(segment, 0..4), select(vec!["", "/", "/**"]));
    let query = prop_oneof![Just(vec!["*"]), subsequence(KEYS.to_vec(), 0..=3),];
    (methods, path, query).prop_map(|(method, (segments, end), query)| {
        let mut path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        path.push_str(if path.is_empty() && end.is_empty() { "/**" } else { end });
        json!({ "method": method, "path": path, "query": query })
    })
}

/// A call of a cluster, with everything owned.
#[derive(Clone, Debug)]
struct Call {
    verb: &'static str,
    kind: (&'static str, &'static str),
    namespace: Option<&'static str>,
    name: Option<&'static str>,
    subresource: Option<&'static str>,
    touched: Option<Vec<String>>,
}

fn call() -> impl Strategy<Value = Call> {
    let kinds = select(vec![
        ("apps", "deployments"),
        ("", "pods"),
        ("", "namespaces"),
        ("x.io", "gadgets"),
    ]);
    let touched = prop::option::of(subsequence(FIELDS.to_vec(), 1..=2));
    (
        select(kubernetes::VERBS),
        kinds,
        prop::option::of(select(NAMES)),
        prop::option::of(select(NAMES)),
        prop::option::of(select(vec!["scale", "status"])),
        touched,
    )
        .prop_map(|(verb, kind, namespace, name, subresource, touched)| {
            let touched = touched.map(|fields| fields.into_iter().map(str::to_owned).collect());
            Call { verb, kind, namespace, name, subresource, touched }
        })
}

fn request() -> impl Strategy<Value = (&'static str, String)> {
    let segments = (prop::collection::vec(select(SEGMENTS), 0..4), any::<bool>());
    let keys = subsequence(KEYS.to_vec(), 0..=2);
    (select(vec!["GET", "POST", "PUT"]), segments, keys).prop_map(|(method, segments, keys)| {
        let (segments, slash) = segments;
        let mut path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if slash || path.is_empty() {
            path.push('/');
        }
        let query: Vec<String> = keys.iter().map(|key| format!("{key}=1")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        (method, format!("{path}{mark}{}", query.join("&")))
    })
}

fn rules<S: Strategy<Value = Value>>(rule: S) -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(rule, 0..4)
}

fn cluster(rules: &[Value]) -> Scope {
    Scope::kubernetes(rules, Binding::all(&json!({}))).expect("good rules")
}

fn api(rules: &[Value]) -> Scope {
    Scope::http(rules, Binding::all(&json!({}))).expect("good rules")
}

fn allows(scope: &Scope, call: &Call) -> bool {
    let Scope::Kubernetes(rules) = scope else { return false };
    let question = kubernetes::Question {
        verb: call.verb,
        group: call.kind.0,
        resource: call.kind.1,
        namespace: call.namespace,
        name: call.name,
        subresource: call.subresource,
        touched: call.touched.as_deref(),
    };
    kubernetes::check(rules, &question).is_ok()
}

fn lets_out(scope: &Scope, (method, path): &(&str, String)) -> bool {
    let Scope::Http(rules) = scope else { return false };
    http::check(rules, method, path).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn what_two_scopes_allow_together_is_what_each_of_them_allows(
        a in rules(kubernetes_rule()), b in rules(kubernetes_rule()), call in call(),
    ) {
        let (a, b) = (cluster(&a), cluster(&b));
        let both = a.intersect(&b);
        prop_assert_eq!(allows(&both, &call), allows(&a, &call) && allows(&b, &call));
        prop_assert_eq!(allows(&b.intersect(&a), &call), allows(&both, &call));
    }

    #[test]
    fn the_same_of_an_api(a in rules(http_rule()), b in rules(http_rule()), request in request()) {
        let (a, b) = (api(&a), api(&b));
        let both = a.intersect(&b);
        prop_assert_eq!(lets_out(&both, &request), lets_out(&a, &request) && lets_out(&b, &request));
    }

    #[test]
    fn what_is_effective_is_within_what_each_party_says(
        asked in rules(kubernetes_rule()), policy in rules(kubernetes_rule()),
        own in rules(kubernetes_rule()), call in call(),
    ) {
        let parties = [cluster(&asked), cluster(&policy), cluster(&own)];
        let effective = Effective::asked(parties[0].clone())
            .narrowed(Party::Policy, parties[1].clone())
            .narrowed(Party::Connection, parties[2].clone());
        let decided = effective.check(|scope| match scope {
            Scope::Kubernetes(rules) => kubernetes::check(rules, &kubernetes::Question {
                verb: call.verb,
                group: call.kind.0,
                resource: call.kind.1,
                namespace: call.namespace,
                name: call.name,
                subresource: call.subresource,
                touched: call.touched.as_deref(),
            }),
            Scope::Http(_) => unreachable!("all are clusters"),
        });
        let all = parties.iter().all(|scope| allows(scope, &call));
        prop_assert_eq!(decided.is_ok(), all);
        if let Err(refused) = decided {
            let first = parties.iter().position(|scope| !allows(scope, &call));
            let party = [Party::Manifest, Party::Policy, Party::Connection][first.expect("one said no")];
            prop_assert_eq!(refused.denied_by, Some(party));
        }
        if effective.rules().is_empty() {
            prop_assert!(!all, "an empty scope allows nothing");
        }
    }

    #[test]
    fn what_covers_another_allows_all_that_it_allows(
        a in rules(kubernetes_rule()), b in rules(kubernetes_rule()), call in call(),
    ) {
        let (a, b) = (cluster(&a), cluster(&b));
        if a.wider_in(&b).is_none() && allows(&b, &call) {
            prop_assert!(allows(&a, &call));
        }
        prop_assert_eq!(a.wider_in(&a.intersect(&b)), None, "a meeting is within each side");
    }

    #[test]
    fn what_covers_another_of_an_api(a in rules(http_rule()), b in rules(http_rule()), request in request()) {
        let (a, b) = (api(&a), api(&b));
        if a.wider_in(&b).is_none() && lets_out(&b, &request) {
            prop_assert!(lets_out(&a, &request));
        }
        prop_assert_eq!(a.wider_in(&a.intersect(&b)), None, "a meeting is within each side");
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same(a in rules(kubernetes_rule()), b in rules(http_rule())) {
        let scope = cluster(&a);
        prop_assert_eq!(cluster(scope.to_json().as_array().expect("a list")), scope);
        let scope = api(&b);
        prop_assert_eq!(api(scope.to_json().as_array().expect("a list")), scope);
    }

    #[test]
    fn an_input_that_is_not_known_yet_leaves_possible_what_a_later_one_may_allow(
        policy in rules(kubernetes_rule()), name in select(NAMES), call in call(),
    ) {
        let asked = [json!({"verbs": kubernetes::VERBS, "resource": "apps/deployments",
            "namespace": "${inputs.n}", "name": "${inputs.n}"})];
        let nothing = json!({});
        let before = Scope::kubernetes(&asked, Binding::partly(&nothing, &|_| true)).expect("good");
        let inputs = json!({"n": name});
        let bound = Scope::kubernetes(&asked, Binding::all(&inputs)).expect("good");
        let policy = cluster(&policy);
        prop_assert!(!allows(&before, &call), "what is not known matches nothing");
        if allows(&bound.intersect(&policy), &call) {
            prop_assert!(!before.intersect(&policy).is_empty(), "found empty too early");
        }
    }
}

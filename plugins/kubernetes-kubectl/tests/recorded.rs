//! `rollout undo` against the recorded behaviour of the real kubectl.
//!
//! Each recording holds what kubectl was asked, what the server answered and what kubectl printed
//! and sent. The step is asked the same, gets the same answers, and must say and send the same;
//! where it differs on purpose, the difference is named here.

use bowline_sdk::ConnectError;
use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::testing::{Call, Host, remote};
use kubernetes_kubectl::run;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeMap, fs, path::PathBuf, rc::Rc};

/// Recordings that the step answers otherwise on purpose, and the reason.
const OTHERWISE: &[(&str, &str)] = &[
    ("undo-deployment-without-annotations", "`add` works where `replace` fails"),
    ("undo-dry-run-bare", "says in one line what kubectl describes in fifteen"),
    ("undo-dry-run-client", "says in one line what kubectl describes in fifteen"),
    ("undo-503-html-body", "looks again before it gives up"),
    ("undo-conflict-on-patch", "looks again before it gives up"),
    ("undo-selector", "selectors are refused: one object per step"),
    ("undo-selector-none", "selectors are refused: one object per step"),
    ("undo-two-targets", "one object per step"),
    ("undo-type-only-selects-all", "one object per step"),
    ("undo-all-flag-unknown", "names the flags that it knows"),
    ("undo-output-json", "the outputs are the output"),
    ("undo-injected-namespace-last-wins", "no second namespace"),
    ("undo-unicode-name", "not sent at all"),
    ("undo-unauthorized", "kubectl fails in discovery, which the step does not need"),
    ("undo-connection-refused", "the host words it"),
    ("undo-dns-failure", "the host words it"),
    ("undo-tls-unknown-ca", "the host words it"),
    ("undo-statefulset", "Deployments only"),
    ("undo-statefulset-dry-run-client", "Deployments only"),
    ("undo-statefulset-missing-revision", "Deployments only"),
    ("undo-statefulset-to-revision-1", "Deployments only"),
    ("undo-daemonset-no-history", "Deployments only"),
];

fn recordings() -> Vec<(String, Value)> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/kubernetes/recordings");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: the recordings are not at {}", folder.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.starts_with("undo-") {
            let text = fs::read_to_string(&path).expect("read a recording");
            found.push((name, serde_json::from_str(&text).expect("JSON")));
        }
    }
    assert!(found.len() >= 50, "only {} recordings were found", found.len());
    found
}

/// `kubectl rollout undo X --to-revision=1 -n NS` as the spec of the step.
fn spec(argv: &str) -> Value {
    let mut words: Vec<&str> = argv.split(' ').skip(2).collect();
    let mut namespace = "default";
    if let Some(flag) = words.iter().position(|word| matches!(*word, "-n" | "--namespace")) {
        namespace = words[flag + 1];
        words.drain(flag..flag + 2);
    }
    json!({
        "command": "rollout",
        "args": words,
        "namespace": namespace,
        "connection": {"connection": {"type": "kubernetes", "name": "k"}},
    })
}

type Answers = BTreeMap<String, Vec<Value>>;
type Sent = Rc<RefCell<Vec<Value>>>;

/// The recorded answers by method and path, in order; the last one is given again.
fn answers(requests: &[Value]) -> Answers {
    let mut answers = Answers::new();
    for exchange in requests {
        let request = &exchange["request"];
        let key = format!(
            "{} {}",
            request["method"].as_str().expect("a method"),
            request["path"].as_str().expect("a path")
        );
        let known = answers.entry(key.clone()).or_default();
        // kubectl reads everything twice; the step reads once.
        if !(key.starts_with("GET") && known.len() == 1) {
            known.push(exchange["response"].clone());
        }
    }
    answers
}

fn answer(answers: &mut Answers, key: &str) -> Result<Value, ConnectError> {
    let list = answers.get_mut(key).unwrap_or_else(|| panic!("no answer to {key} was recorded"));
    let response = if list.len() > 1 { list.remove(0) } else { list[0].clone() };
    let status = u16::try_from(response["status"].as_u64().expect("a status")).expect("a status");
    let mut body = response["body"].clone();
    if status < 400 {
        return Ok(body);
    }
    if !body.is_object() {
        // What a client makes of a proxy's page.
        body = json!({"reason": "ServiceUnavailable", "message":
            "the server is currently unable to handle the request (patch deployments.apps nginx)"});
    }
    let mut error = remote("kubernetes", status, &body);
    error.retry_after_ms = response["headers"]["Retry-After"]
        .as_str()
        .and_then(|wait| wait.parse::<u64>().ok())
        .map(|wait| wait * 1000);
    Err(error)
}

fn replay(recording: &Value) -> (Result<Value, String>, Vec<String>, Vec<Value>) {
    let run_of = &recording["kubectl_1_36_3"];
    let mut answers = answers(run_of["requests"].as_array().expect("requests"));
    let sent: Sent = Rc::default();
    let log = Rc::clone(&sent);
    let host = Host::new().kubernetes("cluster", move |call| match call {
        Call::Get { target } if target.kind.resource == "namespaces" => {
            answer(&mut answers, &format!("GET /api/v1/namespaces/{}", target.name))
        }
        Call::Get { target } => answer(&mut answers, &format!("GET {}", path(target))),
        Call::List { kind, namespace, query } => {
            let namespace = namespace.as_deref().expect("a namespace");
            assert_eq!(query.label_selector.as_deref(), Some("app=nginx"));
            let kind = &kind.resource;
            answer(&mut answers, &format!("GET /apis/apps/v1/namespaces/{namespace}/{kind}"))
        }
        Call::Patch { target, how, patch, options } => {
            assert!(matches!(how, PatchKind::JsonPatch));
            assert_eq!(options.if_version.as_deref(), Some("1001"), "the version that was read");
            assert!(options.if_uid.is_some() && !options.force);
            log.borrow_mut().push(json!({"patch": patch, "dryRun": options.dry_run}));
            answer(&mut answers, &format!("PATCH {}", path(target)))
        }
        other => panic!("the step must not ask for {other:?}"),
    });
    let outcome = host.run(&spec(recording["argv"].as_str().expect("argv")), run);
    let sent = sent.borrow().clone();
    (outcome.map_err(|failure| failure.message().to_owned()), host.lines(), sent)
}

fn path(target: &bowline_sdk::kubernetes::Target) -> String {
    let namespace = target.namespace.as_deref().expect("a namespace");
    format!("/apis/apps/v1/namespaces/{namespace}/{}/{}", target.kind.resource, target.name)
}

/// What kubectl sent, in the form that the step sends: `add`, and the mark set aside.
fn same_patch(ours: &Value, kubectl: &Value, name: &str) {
    let mut ours = ours["patch"].clone();
    let mark = ours[1]["value"].as_object_mut().expect("annotations").remove("bowline/undo");
    assert!(mark.is_some_and(|mark| mark.as_str().is_some_and(|mark| mark.starts_with("key="))));
    let mut theirs = kubectl.clone();
    for operation in theirs.as_array_mut().expect("a patch") {
        operation["op"] = json!("add");
    }
    assert_eq!(ours, theirs, "{name}");
}

#[test]
fn the_step_says_and_sends_what_kubectl_does() {
    let mut compared = 0;
    for (name, recording) in recordings() {
        if OTHERWISE.iter().any(|(other, _)| *other == name) {
            continue;
        }
        let kubectl = &recording["kubectl_1_36_3"];
        let (outcome, lines, sent) = replay(&recording);
        let stdout = kubectl["stdout"].as_str().expect("stdout").trim_end();
        let stderr = kubectl["stderr"].as_str().expect("stderr").trim_end();
        if kubectl["exit_code"] == 0 {
            let outputs = outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
            assert_eq!(outputs["message"], stdout, "{name}");
            assert_eq!(
                outputs["changed"],
                !sent.is_empty() && !stdout.contains("dry run"),
                "{name}"
            );
            for warning in stderr.lines() {
                assert!(lines.contains(&format!("warn {warning}")), "{name}: {lines:#?}");
            }
        } else {
            let failure = outcome.expect_err(&name);
            let expected = stderr.strip_prefix("error: ").unwrap_or(stderr);
            assert!(failure.starts_with(expected), "{name}: {failure}\nexpected: {expected}");
            let printed = lines.iter().any(|line| line.starts_with(&format!("error {stderr}")));
            assert!(printed, "{name}: {lines:#?}");
        }
        let patches: Vec<&Value> = kubectl["requests"]
            .as_array()
            .expect("requests")
            .iter()
            .filter(|exchange| exchange["request"]["method"] == "PATCH")
            .collect();
        assert_eq!(sent.len(), patches.len(), "{name}");
        for (ours, theirs) in sent.iter().zip(patches) {
            same_patch(ours, &theirs["request"]["body"], &name);
            let query = theirs["request"]["query"].to_string();
            assert_eq!(ours["dryRun"], query.contains("dryRun"), "{name}");
        }
        compared += 1;
    }
    eprintln!("compared with {compared} recordings of kubectl");
}

#[test]
fn what_is_answered_otherwise_is_answered_as_said() {
    let cases = [
        (
            "undo-deployment-without-annotations",
            "failed restoring revision 0: the server rejected our request",
        ),
        ("undo-selector", "unknown flag: -l; this step knows"),
        ("undo-two-targets", "is more than one object"),
        ("undo-type-only-selects-all", "`deployment` alone names no object"),
        ("undo-all-flag-unknown", "unknown flag: --all; this step knows"),
        ("undo-output-json", "unknown flag: -o; this step knows"),
        ("undo-unicode-name", r"no valid RFC 1123 name: `nginx-\u{e9}`"),
        ("undo-statefulset", "rolling back a StatefulSet is not supported"),
        (
            "undo-503-html-body",
            "failed restoring revision 0: the server is currently unable to handle the request",
        ),
        (
            "undo-conflict-on-patch",
            "failed restoring revision 0: Operation cannot be fulfilled on deployments.apps \"nginx\"",
        ),
    ];
    let recordings: BTreeMap<String, Value> = recordings().into_iter().collect();
    if recordings.is_empty() {
        return;
    }
    for (name, expected) in cases {
        let (outcome, _, _) = replay(&recordings[name]);
        let failure = outcome.expect_err(name);
        assert!(failure.contains(expected), "{name}: {failure}");
    }
    for name in ["undo-dry-run-client", "undo-dry-run-bare"] {
        let (outcome, _, sent) = replay(&recordings[name]);
        let outputs = outcome.expect(name);
        let text = "deployment.apps/nginx would go to revision 2 with nginx=nginx:1.22 (dry run)";
        assert_eq!(outputs["message"], text, "{name}");
        assert_eq!((&outputs["changed"], sent.len()), (&json!(false), 0), "{name}");
    }
}

//! The commands on small clusters: waiting, repeating, refusing, several targets.
//!
//! Each case has the number that it has in the list of edge cases, where it stands there.

use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::testing::{Call, Host, lost, remote};
use bowline_sdk::{ConnectError, Disposition, Failure};
use kubernetes_kubectl::run;
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// What was written, in order.
type Writes = Rc<RefCell<Vec<Value>>>;

fn spec(command: &str, args: Value) -> Value {
    json!({"command": command, "args": args, "namespace": "shop",
        "connection": {"connection": {"type": "kubernetes", "name": "k"}}})
}

fn with(mut spec: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        spec[name] = value.clone();
    }
    spec
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("u-{name}"), "generation": 3,
            "resourceVersion": "7", "annotations": {"deployment.kubernetes.io/revision": "3"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}, {"name": "d", "image": "j:1"}]}}},
        "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
    })
}

fn not_found(name: &str) -> ConnectError {
    let message = format!("deployments.apps \"{name}\" not found");
    remote(
        "kubernetes",
        404,
        &json!({"reason": "NotFound", "message": message, "details": {"name": name}}),
    )
}

fn forbidden(verb: &str) -> ConnectError {
    let message = format!("deployments.apps is forbidden: User \"u\" cannot {verb} resource");
    remote("kubernetes", 403, &json!({"reason": "Forbidden", "message": message}))
}

/// A cluster that holds Deployment `web`, takes every write, and answers the rest by `more`.
fn cluster(
    more: impl Fn(&Call) -> Option<Result<Value, ConnectError>> + 'static,
) -> (Host, Writes) {
    let writes: Writes = Rc::default();
    let log = Rc::clone(&writes);
    let host = Host::new().remaining(Duration::from_secs(600)).kubernetes("cluster", move |call| {
        if let Some(answer) = more(call) {
            if let Call::Patch { patch, .. } = call {
                log.borrow_mut().push(patch.clone());
            }
            return answer;
        }
        match call {
            Call::Get { target } if target.name == "web" => Ok(deployment("web")),
            Call::Get { target } if target.kind.resource == "namespaces" => Ok(json!({})),
            Call::Get { target } => Err(not_found(&target.name)),
            Call::List { .. } => Ok(json!({"items": []})),
            Call::Patch { patch, .. } => {
                log.borrow_mut().push(patch.clone());
                let mut after = deployment("web");
                after["metadata"]["generation"] = json!(4);
                Ok(after)
            }
            Call::Delete { options, .. } => {
                log.borrow_mut().push(json!({"delete": options.if_uid}));
                Ok(json!({}))
            }
            other => panic!("unexpected {other:?}"),
        }
    });
    (host, writes)
}

fn plain() -> (Host, Writes) {
    cluster(|_| None)
}

fn refusal(host: &Host, spec: &Value) -> Failure {
    host.run(spec, run).expect_err("a refusal")
}

#[test]
fn k07_a_type_without_a_name_is_refused_where_something_is_changed() {
    for (command, args) in [
        ("rollout undo", json!("deployments")),
        ("rollout restart", json!(["deploy"])),
        ("delete", json!("pods")),
        ("scale", json!(["--replicas=1", "deploy"])),
    ] {
        let (host, writes) = plain();
        let failure = refusal(&host, &spec(command, args));
        assert_eq!(failure.code(), "config", "{command}");
        assert!(failure.message().contains("alone names no object"), "{command}: {failure}");
        assert!(writes.borrow().is_empty());
    }
}

#[test]
fn k08_a_selector_that_matches_nothing_fails_unless_that_is_allowed() {
    let restart = with(spec("rollout restart", json!("deploy")), json!({"selector": "app=none"}));
    let failure = refusal(&plain().0, &restart);
    assert_eq!(failure.code(), "not-found", "{failure}");
    let outputs =
        plain().0.run(&with(restart, json!({"allow_empty": true})), run).expect("outputs");
    assert_eq!((&outputs["changed"], &outputs["results"]), (&json!(false), &json!([])));
}

#[test]
fn k09_an_unknown_type_is_told_with_its_version() {
    let (host, _) = cluster(|call| matches!(call, Call::Discover).then(|| Ok(json!([]))));
    let failure = refusal(&host, &spec("rollout undo", json!("deployment.v9.apps/web")));
    let text = "the server doesn't have a resource type \"deployment\" (asked for as `.v9.apps`)";
    assert_eq!(failure.message(), text);
}

#[test]
fn k10_the_rest_goes_on_when_one_target_fails() {
    let (host, writes) = plain();
    let args = json!(["deploy/missing", "deploy/web", "c=i:2"]);
    let failure = refusal(&host, &spec("set image", args));
    assert_eq!(failure.code(), "kubernetes.not-found");
    assert!(failure.message().starts_with("1 of 2 targets failed"), "{failure}");
    let results = &failure.details()["results"];
    assert_eq!(results[0]["code"], "kubernetes.not-found");
    assert_eq!(results[1]["message"], "deployment.apps/web image updated");
    assert_eq!(writes.borrow().len(), 1);
}

#[test]
fn k12_a_missing_namespace_is_told_from_a_missing_object() {
    let gone = |status: u16, reason: &'static str| {
        cluster(move |call| match call {
            Call::Get { target } if target.kind.resource == "namespaces" => {
                let message = "namespaces \"shop\" not found";
                Some(Err(remote(
                    "kubernetes",
                    status,
                    &json!({"reason": reason, "message": message}),
                )))
            }
            _ => None,
        })
    };
    let status = spec("rollout status", json!("deploy/missing"));
    let failure = refusal(&gone(404, "NotFound").0, &status);
    assert_eq!(failure.message(), "Error from server (NotFound): namespaces \"shop\" not found");
    let failure = refusal(&gone(403, "Forbidden").0, &status);
    assert!(failure.message().ends_with("its namespace may be missing, too"), "{failure}");
}

#[test]
fn k13_kinds_without_rollouts_are_refused_by_name() {
    let cases = [
        ("rollout undo", "no rollbacker has been implemented for \"Pod\""),
        ("rollout status", "no status viewer has been implemented for Pod"),
        ("rollout history", "no history viewer has been implemented for \"Pod\""),
        ("rollout restart", "pods \"p\" restarting is not supported"),
        ("rollout pause", "pods \"p\" pausing is not supported"),
        ("scale", "pods \"p\" can't be scaled"),
    ];
    for (command, expected) in cases {
        let args =
            if command == "scale" { json!(["--replicas=1", "pod/p"]) } else { json!("pod/p") };
        let failure = refusal(&plain().0, &spec(command, args));
        assert!(failure.message().starts_with(expected), "{command}: {failure}");
        assert_eq!(failure.code(), "config");
    }
}

#[test]
fn k27_a_restart_is_not_repeated_when_the_step_is_run_again() {
    const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
    let (host, writes) = plain();
    let restart = spec("rollout restart", json!("deploy/web"));
    let outputs = host.run(&restart, run).expect("outputs");
    assert_eq!(outputs["changed"], true);
    let at = writes.borrow()[0]["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT]
        .as_str()
        .expect("a time")
        .to_owned();
    assert!(at.len() == 20 && at.ends_with('Z'), "{at}");
    let only = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}});
    assert_eq!(writes.borrow()[0], only, "nothing is written that kubectl would not write");

    // After a crash the first look is told as it was, and the write, which took effect before the
    // crash, meets another version.
    let restarted = RefCell::new(None);
    let (host, writes) = cluster(move |call| match call {
        Call::Get { .. } => restarted.borrow().clone().map(Ok),
        Call::Patch { patch, .. } => {
            let mut object = deployment("web");
            object["spec"]["template"]["metadata"]["annotations"] =
                patch["spec"]["template"]["metadata"]["annotations"].clone();
            restarted.replace(Some(object));
            let status = json!({"reason": "Conflict", "message": "the object has been modified"});
            Some(Err(remote("kubernetes", 409, &status)))
        }
        _ => None,
    });
    let outputs = host.run(&restart, run).expect("once more");
    assert_eq!((&outputs["changed"], writes.borrow().len()), (&json!(true), 1));
}

#[test]
fn only_the_rollback_of_a_deployment_may_touch_its_annotations() {
    let cases = [
        ("rollout undo", "deploy/web", json!(["/spec/template", "/metadata/annotations"])),
        ("rollout undo", "sts/db", json!(["/spec/template"])),
        ("rollout undo", "ds/agent", json!(["/spec/template"])),
        ("rollout restart", "deploy/web", json!(["/spec/template"])),
    ];
    for (command, object, fields) in cases {
        let (host, _) = cluster(|_| Some(Err(forbidden("get"))));
        refusal(&host, &spec(command, json!(object)));
        let scope = &host.restricted()[0];
        assert_eq!(
            (&scope[1]["verbs"], &scope[1]["fields"]),
            (&json!(["patch"]), &fields),
            "{object}"
        );
    }
}

#[test]
fn k28_a_lost_answer_is_looked_after() {
    let tries = RefCell::new(0);
    let (host, writes) = cluster(move |call| match call {
        Call::Patch { .. } => {
            *tries.borrow_mut() += 1;
            (*tries.borrow() == 1).then(|| Err(lost("kubernetes")))
        }
        _ => None,
    });
    let outputs = host.run(&spec("set image", json!("deploy/web c=i:2")), run).expect("outputs");
    assert_eq!((&outputs["changed"], writes.borrow().len()), (&json!(true), 2));
}

#[test]
fn k30_a_conflict_is_read_again_up_to_a_limit() {
    let (host, writes) = cluster(|call| match call {
        Call::Patch { .. } => {
            let status = json!({"reason": "Conflict", "message": "the object has been modified"});
            Some(Err(remote("kubernetes", 409, &status)))
        }
        _ => None,
    });
    let failure = refusal(&host, &spec("label", json!("deploy/web tier=fe")));
    assert_eq!(failure.code(), "kubernetes.conflict", "{failure}");
    assert_eq!(writes.borrow().len(), 6);
}

#[test]
fn k32_a_paused_deployment_is_not_restarted_and_pausing_twice_is_told() {
    let paused = || {
        cluster(|call| match call {
            Call::Get { .. } => {
                let mut paused = deployment("web");
                paused["spec"]["paused"] = json!(true);
                Some(Ok(paused))
            }
            _ => None,
        })
        .0
    };
    let failure = refusal(&paused(), &spec("rollout restart", json!("deploy/web")));
    assert!(failure.message().contains("can't restart paused deployment"), "{failure}");
    let pause = spec("rollout pause", json!("deploy/web"));
    assert_eq!(refusal(&paused(), &pause).message(), "deployments.apps \"web\" is already paused");
    let outputs = paused().attempt(2).run(&pause, run).expect("an earlier attempt's work");
    assert_eq!(outputs["changed"], false);
    let failure = refusal(&plain().0, &spec("rollout resume", json!("deploy/web")));
    assert_eq!(failure.message(), "deployments.apps \"web\" is not paused");
}

#[test]
fn k38_a_dry_run_on_the_client_writes_nothing() {
    let cases = [
        ("rollout restart", json!("deploy/web"), "deployment.apps/web restarted (dry run)"),
        ("rollout pause", json!("deploy/web"), "deployment.apps/web paused (dry run)"),
        ("set image", json!("deploy/web *=i:2"), "deployment.apps/web image updated (dry run)"),
        ("scale", json!("--replicas=5 deploy/web"), "deployment.apps/web scaled (dry run)"),
        ("label", json!("deploy/web a=b"), "deployment.apps/web labeled (dry run)"),
        ("annotate", json!("deploy/web a=b"), "deployment.apps/web annotated (dry run)"),
        (
            "delete",
            json!("deploy/web"),
            "deployment.apps \"web\" deleted from shop namespace (dry run)",
        ),
        ("patch", json!(["deploy/web", "-p", "{}"]), "deployment.apps/web patched (dry run)"),
    ];
    for (command, args, expected) in cases {
        let (host, writes) = plain();
        let dry = with(spec(command, args), json!({"dry_run": "client"}));
        let outputs = host.run(&dry, run).unwrap_or_else(|failure| panic!("{command}: {failure}"));
        assert_eq!((&outputs["message"], &outputs["changed"]), (&json!(expected), &json!(false)));
        assert!(writes.borrow().is_empty(), "{command}");
    }
}

fn waiting(events: Value) -> (Host, Writes) {
    cluster(move |call| match call {
        Call::Watch { query, .. } => {
            assert_eq!(query.field_selector.as_deref(), Some("metadata.name=web"));
            Some(Ok(events.clone()))
        }
        Call::Get { .. } => {
            let mut stale = deployment("web");
            stale["metadata"]["generation"] = json!(4);
            Some(Ok(stale))
        }
        Call::List { kind, .. } if kind.resource == "replicasets" => {
            let mut set = deployment("web-new");
            set["metadata"] = json!({"name": "web-new", "uid": "rs", "ownerReferences": [{"controller": true, "uid": "u-web"}]});
            set["spec"]["template"] = deployment("web")["spec"]["template"].clone();
            Some(Ok(json!({"items": [set]})))
        }
        Call::List { .. } => Some(Ok(json!({"items": [{
            "metadata": {"name": "web-new-1", "ownerReferences": [{"controller": true, "uid": "rs"}]},
            "status": {"containerStatuses": [{"name": "c", "ready": false,
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]},
        }]}))),
        _ => None,
    })
}

fn at(generation: i64, reason: &str, available: i64) -> Value {
    let mut object = deployment("web");
    object["metadata"]["generation"] = json!(4);
    object["status"]["observedGeneration"] = json!(generation);
    object["status"]["availableReplicas"] = json!(available);
    object["status"]["conditions"] = json!([{"type": "Progressing", "reason": reason}]);
    object
}

fn set_and_wait() -> Value {
    with(spec("set image", json!("deploy/web c=i:2")), json!({"wait": true, "timeout": "5m"}))
}

#[test]
fn k41_a_wait_begins_with_the_change_that_was_made() {
    let late = "ProgressDeadlineExceeded";
    let events =
        json!([at(3, late, 2), at(4, "ReplicaSetUpdated", 1), at(4, "NewReplicaSetAvailable", 2)]);
    let outputs = waiting(events).0.run(&set_and_wait(), run).expect("a finished rollout");
    assert_eq!((&outputs["changed"], &outputs["done"]), (&json!(true), &json!(true)));
}

#[test]
fn k42_a_failed_rollout_says_what_the_pods_wait_for_and_that_the_change_was_made() {
    let failure =
        refusal(&waiting(json!([at(4, "ProgressDeadlineExceeded", 1)])).0, &set_and_wait());
    assert_eq!((failure.code(), failure.disposition()), ("rollout-failed", Disposition::Permanent));
    for part in [
        "exceeded its progress deadline",
        "pod web-new-1: container c is waiting: ImagePullBackOff (no such image)",
        "the change itself was made",
    ] {
        assert!(failure.message().contains(part), "{part}: {failure}");
    }
    assert_eq!(failure.details()["changed"], true);
}

#[test]
fn k43_a_watch_that_ends_is_begun_again() {
    let gone = json!({"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}});
    let watches = RefCell::new(0);
    let (host, _) = cluster(move |call| match call {
        Call::Watch { .. } => {
            *watches.borrow_mut() += 1;
            let second = json!([at(4, "x", 2)]);
            Some(Ok(if *watches.borrow() == 1 { json!([gone]) } else { second }))
        }
        Call::Get { .. } => Some(Ok(at(4, "x", 1))),
        _ => None,
    });
    let outputs = host.run(&spec("rollout status", json!("deploy/web")), run).expect("done");
    assert_eq!(outputs["message"], "deployment \"web\" successfully rolled out");
}

#[test]
fn k44_where_watching_is_forbidden_it_looks_again() {
    let looks = RefCell::new(0);
    let (host, _) = cluster(move |call| match call {
        Call::Watch { .. } => Some(Err(forbidden("watch"))),
        Call::Get { .. } => {
            *looks.borrow_mut() += 1;
            Some(Ok(at(4, "x", if *looks.borrow() < 5 { 1 } else { 2 })))
        }
        _ => None,
    });
    host.run(&spec("rollout status", json!("deploy/web")), run).expect("done");
    let told = host.lines().iter().filter(|line| line.contains("watching is not allowed")).count();
    assert_eq!(told, 1);
    assert!(host.slept() >= Duration::from_secs(8));
}

#[test]
fn k45_our_timeout_says_that_the_change_was_made() {
    let (host, _) = waiting(json!([at(4, "x", 1)]));
    let failure = refusal(&host, &set_and_wait());
    assert_eq!(failure.code(), "timeout");
    assert!(failure.message().starts_with("timed out waiting for the condition"), "{failure}");
    assert!(failure.message().contains("the change itself was made"), "{failure}");
    let slept = host.slept().as_secs();
    assert!((299..=303).contains(&slept), "{slept}");
}

#[test]
fn k46_what_is_deleted_or_replaced_while_waiting_ends_the_wait() {
    let mut other = at(4, "x", 1);
    other["metadata"]["uid"] = json!("u-2");
    for event in [json!({"type": "DELETED", "object": at(4, "x", 1)}), other] {
        let failure = refusal(&waiting(json!([event])).0, &set_and_wait());
        assert_eq!(failure.code(), "not-found", "{failure}");
        assert!(failure.message().starts_with("object has been deleted"), "{failure}");
    }
}

#[test]
fn k47_a_paused_rollout_can_never_finish() {
    let mut paused = at(4, "x", 1);
    paused["spec"]["paused"] = json!(true);
    let failure = refusal(&waiting(json!([paused])).0, &set_and_wait());
    assert_eq!(failure.code(), "conflict.paused");
}

#[test]
fn k48_a_single_look_says_whether_it_is_done() {
    for (available, done) in [(1, false), (2, true)] {
        let (host, _) = cluster(move |call| match call {
            Call::Get { .. } => Some(Ok(at(4, "x", available))),
            _ => None,
        });
        let look = with(spec("rollout status", json!("deploy/web")), json!({"watch": false}));
        assert_eq!(host.run(&look, run).expect("outputs")["done"], done);
    }
}

#[test]
fn k49_a_stopped_run_stops_waiting() {
    let (host, _) = waiting(json!([at(4, "x", 1)]));
    let failure = refusal(&host.cancelled(), &set_and_wait());
    assert_eq!((failure.code(), failure.disposition()), ("cancelled", Disposition::Cancelled));
}

#[test]
fn k50_a_refusal_names_what_the_account_lacks() {
    let (host, _) =
        cluster(|call| matches!(call, Call::Patch { .. }).then(|| Err(forbidden("patch"))));
    // kubectl's own words for a missing role.
    let failure = refusal(&host, &spec("rollout restart", json!("deploy/web")));
    assert!(
        failure.message().starts_with("failed to patch: deployments.apps is forbidden"),
        "{failure}"
    );
    let lacks = "the account of connection `k` needs a role in namespace `shop` with get and patch on deployments.apps";
    assert!(failure.message().contains(lacks), "{failure}");
}

#[test]
fn k62_a_cluster_that_does_not_serve_the_type_is_told() {
    let (host, _) = cluster(|call| match call {
        Call::Get { .. } => {
            let status = json!({"reason": "NotFound", "message": "the server could not find the requested resource"});
            Some(Err(remote("kubernetes", 404, &status)))
        }
        _ => None,
    });
    let failure = refusal(&host, &spec("rollout status", json!("deploy/web")));
    assert!(
        failure.message().starts_with("the cluster does not serve apps/v1 deployments"),
        "{failure}"
    );
}

fn config_map(name: &str, namespace: Option<&str>) -> Value {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

fn apply(manifest: Value) -> Value {
    with(spec("apply", Value::Null), json!({"manifest": manifest}))
}

#[test]
fn k40_all_documents_are_looked_at_before_the_first_is_sent() {
    let second = [
        (config_map("b", Some("other")), "does not match the namespace \"shop\""),
        (
            json!({"apiVersion": "x.example/v1", "kind": "Odd", "metadata": {"name": "b"}}),
            "no matches for kind \"Odd\"",
        ),
        (config_map("a", None), "configmap/a stands there twice"),
    ];
    for (second, expected) in second {
        let (host, writes) = cluster(|call| matches!(call, Call::Discover).then(|| Ok(json!([]))));
        let failure = refusal(&host, &apply(json!([config_map("a", None), second])));
        assert!(failure.message().contains(expected), "{failure}");
        assert!(failure.message().contains("document 2"), "{failure}");
        assert!(writes.borrow().is_empty());
    }
}

#[test]
fn objects_are_applied_into_the_namespace_of_the_step() {
    let (host, writes) = cluster(|call| match call {
        Call::Patch { how, options, patch, .. } => {
            assert!(matches!(how, PatchKind::Apply) && options.strict && !options.force);
            Some(Ok(patch.clone()))
        }
        _ => None,
    });
    let mut given = config_map("a", None);
    given["status"] = json!({"x": 1});
    given["metadata"]["resourceVersion"] = json!("9");
    let outputs = host.run(&apply(json!([given])), run).expect("outputs");
    assert_eq!(outputs["message"], "configmap/a created");
    assert_eq!(writes.borrow()[0], config_map("a", Some("shop")));
    let rule = |verb: &str| json!({"verbs": [verb], "resource": "configmaps", "namespace": "shop", "name": "a"});
    let scope = &host.restricted()[0];
    assert_eq!((&scope[0], &scope[1]), (&rule("get"), &rule("patch")));
}

#[test]
fn k39_fields_of_other_managers_are_named() {
    let (host, _) = cluster(|call| match call {
        Call::Patch { .. } => Some(Err(remote(
            "kubernetes",
            409,
            &json!({
                "reason": "Conflict", "message": "Apply failed with 1 conflict",
                "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"hpa\"", "field": ".spec.replicas"}]},
            }),
        ))),
        _ => None,
    });
    let failure = refusal(&host, &apply(config_map("a", None)));
    assert!(failure.message().contains("(conflict with \"hpa\": .spec.replicas)"), "{failure}");
    assert!(failure.message().contains("`force_conflicts: true`"), "{failure}");
}

#[test]
fn the_very_object_that_was_seen_is_deleted() {
    let (host, writes) = cluster({
        let deleted = RefCell::new(false);
        move |call| match call {
            Call::Delete { .. } => {
                deleted.replace(true);
                None
            }
            Call::Get { target } if *deleted.borrow() => Some(Err(not_found(&target.name))),
            _ => None,
        }
    });
    let outputs = host.run(&spec("delete", json!("deploy/web")), run).expect("outputs");
    assert_eq!(outputs["message"], "deployment.apps \"web\" deleted from shop namespace");
    assert_eq!(*writes.borrow(), [json!({"delete": "u-web"})]);
}

#[test]
fn another_attempt_does_not_miss_what_the_first_has_deleted() {
    let missing = spec("delete", json!("deploy/missing"));
    assert_eq!(refusal(&plain().0, &missing).code(), "kubernetes.not-found");
    let outputs = plain().0.attempt(2).run(&missing, run).expect("gone is gone");
    assert_eq!(outputs["changed"], false);
}

#[test]
fn nothing_of_a_secret_is_shown_in_any_form() {
    let secret = || {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":\"aHVudGVyMg==\"}"}},
        "data": {"password": "aHVudGVyMg=="}})
    };
    let table = json!({"columnDefinitions": [{"name": "Name"}], "rows": [{"cells": ["s"]}]});
    for output in ["", "json", "yaml", "name", "wide", "jsonpath={.data.password}", "jsonpath={..}"]
    {
        for args in [json!("secret/s"), json!("secrets")] {
            let table = table.clone();
            let (host, _) = cluster(move |call| match call {
                Call::Get { .. } => Some(Ok(secret())),
                Call::List { .. } => Some(Ok(json!({"items": [secret()]}))),
                Call::Table { .. } => Some(Ok(table.clone())),
                _ => None,
            });
            let outcome = host.run(&with(spec("get", args), json!({"output": output})), run);
            let all = format!("{outcome:?} {:?}", host.lines());
            assert!(!all.contains("aHVudGVyMg=="), "{output}: {all}");
            assert_eq!(outcome.is_err(), output == "jsonpath={..}", "{output}: {all}");
        }
    }
}

#[test]
fn a_large_list_is_cut_and_says_so() {
    let (host, _) = cluster(|call| match call {
        Call::List { .. } => {
            let item = json!({"metadata": {"name": "p", "managedFields": ["x".repeat(99_999)]}, "data": {"x": "y".repeat(50_000)}});
            Some(Ok(json!({"items": vec![item; 9]})))
        }
        _ => None,
    });
    let outputs =
        host.run(&with(spec("get", json!("cm")), json!({"output": "name"})), run).expect("outputs");
    assert_eq!(
        (outputs["objects"].as_array().map(Vec::len), &outputs["complete"]),
        (Some(3), &json!(false))
    );
    assert!(outputs.to_string().len() < 256 * 1024);
}

#[test]
fn waits_end_with_what_they_wait_for() {
    let ready = |status: &str| {
        json!({"metadata": {"name": "web", "uid": "u"}, "status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": status}]}})
    };
    let cases = [
        ("condition=Ready", json!([ready("False"), ready("True")]), Some("pod/web condition met")),
        ("condition=Ready=False", json!([ready("False")]), Some("pod/web condition met")),
        (
            "jsonpath={.status.phase}=Running",
            json!([ready("False")]),
            Some("pod/web condition met"),
        ),
        (
            "delete",
            json!([{"type": "DELETED", "object": ready("True")}]),
            Some("pod/web condition met"),
        ),
        ("condition=Ready", json!([]), None),
    ];
    for (until, events, expected) in cases {
        let (host, _) = cluster(move |call| match call {
            Call::Get { .. } => Some(Ok(json!({"metadata": {"name": "web", "uid": "u"}}))),
            Call::Watch { .. } => Some(Ok(events.clone())),
            _ => None,
        });
        let outcome = host.run(&with(spec("wait", json!("pod/web")), json!({"for": until})), run);
        match expected {
            Some(expected) => assert_eq!(outcome.expect(until)["message"], expected, "{until}"),
            None => {
                let failure = outcome.expect_err(until);
                assert_eq!(failure.message(), "timed out waiting for the condition on pods/web");
                assert_eq!(failure.code(), "timeout");
            }
        }
    }
    let failure =
        refusal(&plain().0, &with(spec("wait", json!("pod/web")), json!({"for": "luck"})));
    assert!(failure.message().starts_with("unrecognized condition: \"luck\""), "{failure}");
}

#[test]
fn a_json_patch_is_never_sent_into_doubt() {
    let (host, writes) = cluster({
        let looks = RefCell::new(6);
        move |call| match call {
            Call::Patch { options, .. } => {
                assert_eq!(options.if_version.as_deref(), Some("7"));
                Some(Err(lost("kubernetes")))
            }
            Call::Get { .. } => {
                *looks.borrow_mut() += 1;
                let mut now = deployment("web");
                now["metadata"]["resourceVersion"] = json!(looks.borrow().to_string());
                Some(Ok(now))
            }
            _ => None,
        }
    });
    let operations = json!([{"op": "add", "path": "/spec/x/-", "value": 1}]);
    let patch = with(
        spec("patch", json!("deploy/web")),
        json!({"patch": operations, "patch_type": "json"}),
    );
    let failure = refusal(&host, &patch);
    assert_eq!((failure.code(), failure.disposition()), ("ambiguous", Disposition::Permanent));
    assert_eq!(writes.borrow().len(), 1);
}

#[test]
fn k07_a_selector_that_came_out_empty_does_not_mean_everything() {
    let cases = [
        json!({"field_selector": ""}),
        json!({"selector": " "}),
        json!({"field_selector": " , "}),
        json!({"selector": "", "all": true}),
    ];
    for more in cases {
        let (host, writes) = cluster(|_| None);

        let failure = host.run(&with(spec("delete", json!(["pods"])), more.clone()), run);

        let failure = failure.expect_err("an empty selector");
        assert_eq!(failure.code(), "config", "{more}: {failure}");
        assert!(failure.message().contains("selector is empty"), "{more}: {failure}");
        assert!(writes.borrow().is_empty(), "{more}");
    }
}

#[test]
fn k05_a_text_in_command_names_one_object_even_where_args_is_a_list() {
    for args in [json!([]), json!(["--wait=false"])] {
        let (host, writes) = cluster(|_| None);

        let failure = host.run(&spec("delete deployment/web deployment/db", args), run);

        assert_eq!(failure.expect_err("two objects").code(), "config");
        assert!(writes.borrow().is_empty());
    }
}

#[test]
fn what_a_secret_holds_stays_out_of_the_log() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db",
        "uid": "u", "resourceVersion": "1", "annotations":
            {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"p\":\"hunter2\"}}"}}});
    let cases = [
        with(
            spec("patch", json!(["secret/db"])),
            json!({"patch": {"stringData": {"password": "hunter2"}}}),
        ),
        spec(
            "annotate",
            json!(["secret/db", "kubectl.kubernetes.io/last-applied-configuration=x"]),
        ),
    ];
    for inputs in cases {
        let secret = secret.clone();
        let (host, _) = cluster(move |call| match call {
            Call::Get { target } if target.name == "db" => Some(Ok(secret.clone())),
            Call::Patch { .. } => Some(Ok(secret.clone())),
            _ => None,
        });

        let outcome = host.run(&inputs, run);

        let told = format!("{outcome:?} {:?}", host.lines());
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn k38_a_dry_run_on_the_server_does_not_say_that_nothing_would_change() {
    // The server answers a dry run with the version that is there.
    let applied = json!([{"source": "manifest", "document": 1, "line": 1, "object": {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 9}}}]);
    let cases = [
        with(spec("apply", json!([])), json!({"manifest": applied, "dry_run": "server"})),
        with(
            spec("patch", json!(["deployment/web"])),
            json!({"patch": {"spec": {"replicas": 9}}, "dry_run": "server"}),
        ),
    ];
    for inputs in cases {
        let (host, _) = cluster(|_| None);

        let outputs = host.run(&inputs, run).expect("a dry run");

        let message = outputs["message"].as_str().expect("a message");
        assert!(message.ends_with("(server dry run)"), "{message}");
        assert!(!message.contains("unchanged") && !message.contains("no change"), "{message}");
        assert_eq!(outputs["changed"], false);
    }
}

#[test]
fn a_failure_after_the_change_is_not_tried_again() {
    let (host, _) = cluster(|call| match call {
        Call::Get { target } if target.name == "db" => {
            Some(Err(remote("kubernetes", 503, &json!({"message": "no leader"}))))
        }
        Call::Patch { .. } => {
            let mut after = deployment("web");
            after["metadata"]["resourceVersion"] = json!("8");
            Some(Ok(after))
        }
        _ => None,
    });
    let patch =
        json!({"patch_type": "json", "patch": [{"op": "add", "path": "/spec/x", "value": 1}]});

    let failure =
        host.run(&with(spec("patch", json!(["deployment/web", "deployment/db"])), patch), run);

    let failure = failure.expect_err("one of two failed");
    assert_eq!(failure.disposition(), Disposition::Permanent, "{failure}");
}

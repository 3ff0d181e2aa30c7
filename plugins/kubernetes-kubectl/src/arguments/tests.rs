//! What is read out of inputs, and what is refused.

use super::*;
use serde_json::{Value, json};

/// The call as text.
fn call(spec: Value) -> Result<String, Failure> {
    let mut inputs = json!({"connection": {"connection": {"type": "kubernetes", "name": "k"}}});
    for (key, value) in spec.as_object().expect("an object") {
        inputs[key] = value.clone();
    }
    read(&Inputs(inputs)).map(|call| call.to_string())
}

#[test]
fn k01_every_published_form_is_understood() {
    let seed = "rollout undo deployment.v1.apps/web --namespace default";
    let cases = [
        (json!({"command": "rollout", "args": "undo deployment.v1.apps/web"}), seed),
        (json!({"command": "rollout", "args": ["undo", "deployment.v1.apps/web"]}), seed),
        (json!({"command": "rollout undo", "args": "deployment.v1.apps/web"}), seed),
        (
            json!({"command": "rollout undo", "args": "deploy web", "namespace": "shop"}),
            "rollout undo deploy web --namespace shop",
        ),
        (
            json!({"command": "rollout", "args": "undo --to-revision=2 deployment/web"}),
            "rollout undo --to-revision=2 deployment/web --namespace default",
        ),
        (
            json!({"command": "rollout", "args": "undo --to-revision 2 deployment/web"}),
            "rollout undo --to-revision=2 deployment/web --namespace default",
        ),
        (
            json!({"command": "rollout", "args": ["undo", "deployment/web", "--to-revision", 2]}),
            "rollout undo --to-revision=2 deployment/web --namespace default",
        ),
        (
            json!({"command": "rollout", "args": "undo deployment/web", "to_revision": "2"}),
            "rollout undo --to-revision=2 deployment/web --namespace default",
        ),
        (
            json!({"command": "rollout", "args": "undo deployment/web", "dry_run": true}),
            "rollout undo --dry-run=server deployment/web --namespace default",
        ),
        (
            json!({"command": "rollout", "args": ["undo", "deployment/web", "--dry-run"]}),
            "rollout undo --dry-run=true deployment/web --namespace default",
        ),
    ];
    for (spec, expected) in cases {
        assert_eq!(call(spec.clone()).expect(expected), expected, "{spec}");
    }
}

/// What a stranger may put into the parameter of the published workflow.
#[test]
fn k05_a_parameter_brings_in_no_flag_and_no_second_target() {
    let parameters = [
        "web --to-revision=1",
        "web --to-revision 1",
        "web --dry-run=client",
        "web --namespace kube-system",
        "web --namespace=kube-system",
        "web -n kube-system",
        "web -nkube-system",
        "web\n--namespace=kube-system",
        "web\t-n\tkube-system",
        "web --server=https://evil.example",
        "web '--token=x'",
        "web \"-n\" \"kube-system\"",
        "web --",
        "web -",
        "web '",
        "web \\",
    ];
    for parameter in parameters {
        for prefix in ["undo deployment.v1.apps/", "undo deployment "] {
            let args = format!("{prefix}{parameter}");
            let failure = call(json!({"command": "rollout", "args": args})).expect_err(&args);
            assert_eq!(failure.code(), "config", "{args}: {failure}");
        }
    }
}

#[test]
fn a_flag_between_type_and_name_is_refused_in_a_text() {
    let spec = json!({"command": "rollout", "args": "undo deployment --to-revision=1 web"});
    let failure = call(spec).expect_err("a flag in between");
    assert!(failure.message().contains("stands after the resource"), "{failure}");
}

#[test]
fn flags_that_lead_elsewhere_are_refused_in_every_form() {
    for flag in [
        "-n",
        "-nweb",
        "--namespace=web",
        "--kubeconfig=x",
        "--context",
        "--server=x",
        "-s",
        "--token=x",
        "--as=root",
        "--as-group=system:masters",
        "--cluster=b",
        "--user=b",
        "-A",
        "--insecure-skip-tls-verify",
        "--certificate-authority=x",
    ] {
        for args in [
            json!(["undo", flag, "deployment/web"]),
            json!(["undo", "deployment/web", flag]),
            json!(format!("undo {flag} deployment/web")),
        ] {
            let failure = call(json!({"command": "rollout", "args": args})).expect_err(flag);
            assert!(failure.message().contains("is never accepted"), "{args}: {failure}");
        }
    }
}

#[test]
fn wrong_inputs_say_what_would_be_right() {
    let cases = [
        (
            json!({"command": ""}),
            "`command` names no kubectl command; this step can: `rollout undo`",
        ),
        (json!({"command": null}), "`command` is missing"),
        (json!({"command": "rollout"}), "`kubectl rollout` alone is no command"),
        (
            json!({"command": "rollout", "args": "view deployment/web"}),
            "unknown command \"rollout view\"",
        ),
        (json!({"command": "kubectl rollout undo"}), "unknown command \"kubectl\""),
        (
            json!({"command": "rollout undo", "args": "deployment/web", "file": "x"}),
            "`file` belongs to `apply` and `delete`, not to `rollout undo`",
        ),
        (json!({"command": "apply", "file": "x", "git": {"name": "a"}}), "`git` is not supported"),
        (
            json!({"command": "apply", "args": ["-f", "x.yaml"]}),
            "set `file` to a file in the workflow's folder",
        ),
        (
            json!({"command": "rollout undo", "args": ["--to-rev=1", "deployment/web"]}),
            "unknown flag: --to-rev; this step knows `--to-revision`, `--dry-run`",
        ),
        (
            json!({"command": "rollout undo", "args": ["deployment/web", "-o", "json"]}),
            "unknown shorthand flag: -o",
        ),
        (
            json!({"command": "rollout undo", "args": ["deployment/web", "--to-revision"]}),
            "flag needs an argument: --to-revision",
        ),
        (
            json!({"command": "rollout undo", "args": ["d/w", "--to-revision=1", "--to-revision=2"]}),
            "given twice",
        ),
        (
            json!({"command": "rollout undo", "args": "--to-revision=1 d/w", "to_revision": 2}),
            "both given",
        ),
        (
            json!({"command": "rollout undo", "args": "d/w", "replicas": 2}),
            "`replicas` is nothing that `rollout undo` knows",
        ),
        (
            json!({"command": "rollout undo", "args": "d/w", "to_revision": 1.5}),
            "`to_revision` is no whole number",
        ),
        (
            json!({"command": "rollout undo", "args": "d/w", "to_revision": [1]}),
            "`to_revision` is no text, number or truth value",
        ),
        (
            json!({"command": "rollout undo", "args": "d/w", "too_much": 1}),
            "`too_much` is no input of this step",
        ),
        (json!({"command": "rollout undo", "args": {"a": 1}}), "give a text, or a list"),
        (json!({"command": "rollout undo", "args": "d/w", "namespace": ""}), "`namespace`"),
        (
            json!({"command": "rollout undo", "args": "d/w", "namespace": 7}),
            "`namespace` is no text",
        ),
        (
            json!({"command": "rollout undo", "args": "d/w", "connection": null}),
            "no connection is given",
        ),
    ];
    for (spec, expected) in cases {
        let failure = call(spec.clone()).expect_err(expected);
        assert!(failure.message().contains(expected), "{spec}: {failure}");
        assert_eq!(failure.code(), "config", "{spec}");
    }
}

#[test]
fn what_this_step_does_not_do_is_refused_by_name_with_the_reason() {
    let cases = [
        ("exec", "`kubectl exec` is refused: it opens a tunnel"),
        ("cp", "`kubectl cp` is refused"),
        ("port-forward", "`kubectl port-forward` is refused"),
        ("attach", "`kubectl attach` is refused"),
        ("proxy", "`kubectl proxy` is refused"),
        ("run", "write it down and use `apply`"),
        ("debug", "`kubectl debug` is refused"),
        ("edit", "it needs a person at a terminal"),
        ("drain", "by hand"),
        ("config view", "the operator's settings"),
        ("create deployment", "use `apply`"),
        ("set env", "`kubectl set env` is refused: use `patch`"),
        ("apply view-last-applied", "`kubectl apply view-last-applied` is refused"),
    ];
    for (command, expected) in cases {
        let failure =
            call(json!({"command": command, "args": ["deployment/web"]})).expect_err(command);
        assert!(failure.message().contains(expected), "{command}: {failure}");
        assert_eq!(failure.code(), "config");
    }
}

#[test]
fn k02_a_command_may_be_two_words() {
    let read = call(json!({"command": "get pods", "args": "-o json"})).expect("a call");
    assert_eq!(read, "get --output=json pods --namespace default");
}

#[test]
fn k11_a_namespace_that_is_not_given_is_default() {
    let read = call(json!({"command": "get pods", "namespace": null})).expect("a call");
    assert!(read.ends_with("--namespace default"), "{read}");
}

#[test]
fn flags_are_read_by_their_kind() {
    let inputs = Inputs(json!({"command": "rollout undo", "args": "d/w", "to_revision": "two",
        "wait": "maybe", "timeout": "soon", "dry_run": "perhaps",
        "connection": {"connection": {"type": "kubernetes", "name": "k"}}}));
    let call = read(&inputs).expect("a call");
    let text = |failure: Failure| failure.message().to_owned();
    let number = call.number("to-revision").map_err(text);
    assert_eq!(
        number,
        Err("invalid argument \"two\" for \"--to-revision\" flag; give a whole number".into())
    );
    assert!(
        call.truth("wait", false).map_err(text).is_err_and(|it| it.contains("`true` or `false`"))
    );
    assert!(call.timeout().map_err(text).is_err_and(|it| it.contains("a duration")));
    let dry_run = call.dry_run().map_err(text);
    assert_eq!(
        dry_run,
        Err("Invalid dry-run value (perhaps). Must be \"none\", \"server\", or \"client\".".into())
    );
}

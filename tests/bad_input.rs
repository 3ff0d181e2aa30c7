//! Everything that can be wrong before a run: exit 2, nothing was started, and the message names
//! the place and the remedy.

use crate::support::{Done, Place};

/// Runs, and checks that nothing was started.
#[track_caller]
fn refused(place: &Place, arguments: &[&str], parts: &[&str]) -> Done {
    let done = place.run(arguments);
    done.ends(2).says(parts);
    assert!(!done.stdout.contains("run-started"), "{}", done.stdout);
    let listed = place.run(&["runs", "list", "--json"]);
    assert_eq!(listed.stdout, "", "no run may have begun");
    done
}

#[test]
fn a_connection_that_is_not_set_is_named_with_its_place() {
    let place = Place::new();
    place.runbook();

    refused(
        &place,
        &["run", "runbook.yaml", "-p", "public_id=5"],
        &["eric0-demos", "runbook.yaml:", "bowline.yaml"],
    );
}

#[test]
fn a_connection_whose_credential_is_missing_is_named_with_the_variable() {
    let place = Place::new();
    place.runbook().write(
        "bowline.yaml",
        "connections:\n  kubernetes: {'*': {server: 'https://127.0.0.1:1', token: {env: NOT_SET}}}\n  datadog: {'*': {}}\n",
    );

    refused(
        &place,
        &["run", "runbook.yaml", "-p", "public_id=5"],
        &["kubernetes/eric0-demos", "NOT_SET", "runbook.yaml:"],
    );
}

#[test]
fn parameters_that_are_missing_unknown_or_malformed() {
    let place = Place::new();
    place.runbook();
    let cases: [(&[&str], &[&str]); 4] = [
        (&[], &["public_id", "-p public_id="]),
        (
            &["-p", "public_id=5", "-p", "deploymnet=x"],
            &["deploymnet", "did you mean `deployment`"],
        ),
        (&["-p", "public_id"], &["NAME=VALUE"]),
        (&["--params-file", "gone.yaml"], &["gone.yaml"]),
    ];
    for (arguments, parts) in cases {
        let mut command = vec!["run", "runbook.yaml", "--drill"];
        command.extend(arguments);
        refused(&place, &command, parts);
    }
}

#[test]
fn files_that_are_no_workflows() {
    let place = Place::new();
    place
        .write("broken.yaml", "steps:\n- name: a\n  image: [unclosed\n")
        .write("binary.yaml", [0xff, 0xfe, 0, 1])
        .write("list.yaml", "- a\n- b\n")
        .write("bomb.yaml", bomb());
    std::fs::create_dir(place.path("folder.yaml")).expect("make a folder");
    let cases: [(&str, &[&str]); 6] = [
        ("gone.yaml", &["gone.yaml", "can't read"]),
        ("folder.yaml", &["folder.yaml", "folder"]),
        ("broken.yaml", &["broken.yaml:"]),
        ("binary.yaml", &["binary.yaml"]),
        ("list.yaml", &["list.yaml:1"]),
        ("bomb.yaml", &["bomb.yaml"]),
    ];
    for (file, parts) in cases {
        refused(&place, &["run", file, "--drill"], parts);
    }
}

fn bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x]\n");
    for level in 1..40 {
        text.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    }
    text + "steps:\n- name: a\n  image: kubernetes-kubectl\n  spec: {args: *a39}\n"
}

#[test]
fn a_component_that_is_missing_is_named_with_what_there_is() {
    let place = Place::new();
    place.write("w.yaml", "steps:\n- name: a\n  image: relaysh/kubernetes-step-kubectll\n");

    refused(
        &place,
        &["run", "w.yaml", "--drill"],
        &["w.yaml:3", "relaysh/kubernetes-step-kubectll", "did you mean"],
    );
}

#[test]
fn settings_with_mistakes_are_placed() {
    let place = Place::new();
    place.runbook().write("bowline.yaml", "connections: {}\nlimit: {}\n");

    refused(&place, &["run", "runbook.yaml", "-p", "public_id=5"], &["bowline.yaml", "limit"]);
    refused(
        &place,
        &["run", "runbook.yaml", "-p", "public_id=5", "--config", "gone.yaml"],
        &["gone.yaml"],
    );
}

#[test]
fn what_a_text_from_outside_holds_never_steers_the_terminal() {
    let place = Place::new();
    place.write("w.yaml", "steps:\n- name: \"a\\e[2Jb\"\n  image: \"x\\e]52;c;x\\a\"\n");

    let done = place.run(&["check", "w.yaml"]);

    done.ends(2);
    assert!(!done.stderr.contains('\x1b'), "{:?}", done.stderr);
}

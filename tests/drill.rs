//! Practice runs, and the practice services as a process of their own.

use crate::support::Place;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

#[test]
fn the_article_s_runbook_runs_in_the_drill() {
    let place = Place::new();
    place.runbook();

    let done = place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=117", "--json"]);

    let finished = done.ends(0).finished();
    assert_eq!(finished["status"], "success");
    let id = finished["steps"]["convert-incident-id"]["outputs"]["incident_id"].as_str();
    assert!(id.is_some_and(|id| id.len() == 36), "{finished:#}");
    assert_eq!(finished["steps"]["update-timeline"]["attempts"], 1);
}

#[test]
fn without_json_it_ends_with_what_changed() {
    let place = Place::new();
    place.runbook();

    let done = place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=5"]);

    done.ends(0);
    for part in ["revision 2", "revision 1", "nginx:1.25", "IR-5", "+1 timeline cell"] {
        assert!(done.stdout.contains(part), "`{part}` is not in:\n{}", done.stdout);
    }
}

#[test]
fn x01_x02_an_incident_that_is_not_there_fails_the_run_and_the_rollback_stays_reported() {
    let place = Place::new();
    place.runbook();

    let done = place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=999", "--json"]);

    let finished = done.ends(1).finished();
    assert_eq!(finished["status"], "failure");
    assert_eq!(finished["steps"]["kubectl-deployment-rollback"]["status"], "success");
    assert_eq!(finished["steps"]["convert-incident-id"]["status"], "failure");
    assert_eq!(finished["steps"]["update-timeline"]["status"], "skipped");
    assert!(done.stdout.contains("Check the number"), "the message says what to do");
}

#[test]
fn x12_the_exit_code_and_the_first_line_say_how_it_ended() {
    let place = Place::new();
    place.runbook();
    let cases: [(&[&str], i32, &str); 3] = [
        (&["public_id=117"], 0, "succeeded"),
        (&["public_id=999"], 1, "failed"),
        (&["public_id=117", "deploymnet=x"], 2, "deploymnet"),
    ];
    for (parameters, code, said) in cases {
        let mut arguments = vec!["run", "runbook.yaml", "--drill"];
        for parameter in parameters {
            arguments.extend(["-p", parameter]);
        }

        let done = place.run(&arguments);

        done.ends(code);
        let summary = if code == 2 { &done.stderr } else { &done.stdout };
        let told = summary.lines().find(|line| line.contains(said));
        assert!(told.is_some(), "`{said}` is not in:\n{}{}", done.stdout, done.stderr);
    }
}

/// A process that is ended when the test is.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn served_services_are_reached_by_another_process_and_tell_what_they_got() {
    let place = Place::new();
    place.runbook();
    let mut child = place
        .command(&["drill", "serve", "--config-out", "drill.yaml"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the services");
    let mut lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
    let mut served = Served(child);
    let ready = lines.next().expect("a line").expect("readable");
    assert!(ready.starts_with("ready"), "{ready}");

    for (name, id) in [("kubernetes/any", "works"), ("datadog/any", "works")] {
        let checked = place.run(&["connection", "check", name, "--config", "drill.yaml"]);
        checked.ends(0);
        assert!(checked.stdout.contains(id), "{}", checked.stdout);
    }
    let run = ["run", "runbook.yaml", "--config", "drill.yaml", "-p", "public_id=5", "--json"];
    place.run(&run).ends(0);

    let settings = std::fs::read_to_string(place.path("drill.yaml")).expect("read the settings");
    let start = settings.find('{').expect("JSON inside");
    let connections: Value = serde_json::from_str(&settings[start..]).expect("parse it");
    let url = connections["datadog"]["*"]["baseUrl"].as_str().expect("a base URL");
    place.write(
        "ca.pem",
        connections["datadog"]["*"]["certificateAuthority"].as_str().expect("a CA"),
    );
    let requests = curl(&place, &["--cacert", "ca.pem", &format!("{url}/_drill/requests")]);
    let requests: Vec<Value> = serde_json::from_str(&requests).expect("a list of requests");
    let effects: Vec<String> = requests
        .iter()
        .filter(|request| request["took_effect"] == true)
        .map(|request| {
            format!(
                "{} {}",
                request["method"].as_str().unwrap(),
                request["service"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(effects, ["PATCH kubernetes", "POST datadog"], "{requests:#?}");
    curl(&place, &["--cacert", "ca.pem", "-X", "POST", &format!("{url}/_drill/reset")]);
    let requests = curl(&place, &["--cacert", "ca.pem", &format!("{url}/_drill/requests")]);
    let requests: Vec<Value> = serde_json::from_str(&requests).expect("a list of requests");
    assert!(requests.iter().all(|request| request["took_effect"] != true), "{requests:#?}");

    // SIGTERM ends it cleanly.
    let pid = served.0.id().to_string();
    std::process::Command::new("kill").arg(&pid).status().expect("send SIGTERM");
    assert!(served.0.wait().expect("wait for its end").success());
}

fn curl(place: &Place, arguments: &[&str]) -> String {
    let output = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--fail"])
        .args(arguments)
        .current_dir(place.path(""))
        .output()
        .expect("start curl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

//! A plan writes nothing, shows what a run would write, and can bind a run to that.

use crate::far::{Far, Way};
use crate::support::services::Services;
use crate::support::{Done, Place, root};
use crate::workflows::{approval, ask, tell, workflow};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// What each workflow is run with, as in the transcripts.
fn parameters(name: &str) -> &'static [&'static str] {
    match name {
        "apply-and-wait" => &[],
        _ => &["-p", "public_id=117"],
    }
}

/// A place with one of the workflows, and what to say behind `run` or `plan`.
fn place_of(name: &str) -> (Place, Vec<String>) {
    let place = Place::new();
    place.workflows();
    let file = format!("{name}.yaml");
    let mut arguments = vec![file, "--config".to_owned(), "drill.yaml".to_owned()];
    arguments.extend(parameters(name).iter().map(|text| (*text).to_owned()));
    (place, arguments)
}

fn call(place: &Place, verb: &str, arguments: &[String], extra: &[&str]) -> Done {
    let mut all = vec![verb];
    all.extend(arguments.iter().map(String::as_str));
    all.extend(extra);
    place.run(&all)
}

/// Step and operation of each write that the plan shows, and how far each step was followed.
fn shown(plan: &Value) -> (BTreeSet<(String, String)>, BTreeMap<String, String>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (mut writes, mut followed) = (BTreeSet::new(), BTreeMap::new());
    for step in plan["steps"].as_array().expect("steps") {
        let name = text(&step["name"]);
        for write in step["writes"].as_array().expect("writes") {
            writes.insert((name.clone(), text(&write["operation"])));
        }
        followed.insert(name, text(&step["status"]));
    }
    (writes, followed)
}

/// Step and operation of each write that left the host.
fn made(events: &[Value]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let writes =
        events.iter().filter(|e| e["event"] == "effect-intended" && e["effect"]["writes"] == true);
    writes.map(|event| (text(&event["step"]), text(&event["effect"]["operation"]))).collect()
}

fn a_plan_of(name: &str) {
    let (place, arguments) = place_of(name);
    let services = Services::start(&place);
    let before = services.picture();

    let plan = call(&place, "plan", &arguments, &["--json", "--out", "plan.json"]);

    let effects = services.effects();
    assert_eq!(effects, Vec::<String>::new(), "a plan changed something");
    // Workloads settle by themselves, whoever looks; what was written by somebody does not.
    assert_eq!(services.picture()["incidents"], before["incidents"]);
    let plan = plan.ends(0).json().pop().expect("a plan");
    let (writes, followed) = shown(&plan);
    assert!(!writes.is_empty(), "{plan:#}");
    for lie in ["was made", "are done"] {
        assert!(!plan.to_string().contains(lie), "a plan says `{lie}`: {plan:#}");
    }
    let listed = place.run(&["runs", "list", "--json"]);
    assert_eq!(listed.ends(0).json().len(), 0, "a plan is no run");

    services.reset();
    let run = call(&place, "run", &arguments, &["--json"]);

    run.ends(0);
    let on_record = place.run(&["runs", "show", "@latest", "--json"]).ends(0).json();
    let made = made(&on_record);
    for write in &made {
        let is_shown = writes.contains(write);
        // What follows from an answer that only the real write gives can't be known: the plan says
        // that it goes no further there.
        let known = followed.get(&write.0).is_some_and(|followed| followed == "planned");
        assert!(is_shown || !known, "{write:?} was not in the plan {plan:#}");
    }
    for write in &writes {
        assert!(made.contains(write), "{write:?} was planned and not made; made: {made:#?}");
    }
    let effects = services.effects().len();
    assert!(effects >= 1 && effects <= run.stdout.matches("effect-intended").count(), "{effects}");
}

#[test]
fn a_plan_of_the_rollback_writes_nothing_and_shows_what_is_written() {
    a_plan_of("datadog-k8s-rollback");
}

#[test]
fn a_plan_of_the_declaration_writes_nothing_and_shows_what_is_written() {
    a_plan_of("incident-declare-and-tell");
}

#[test]
fn a_plan_of_the_service_writes_nothing_and_shows_what_is_written() {
    a_plan_of("apply-and-wait");
}

#[test]
fn there_is_a_plan_test_for_each_workflow() {
    let mut names: Vec<String> = fs::read_dir(root().join("workflows"))
        .expect("list the workflows")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["apply-and-wait", "datadog-k8s-rollback", "incident-declare-and-tell"]);
}

#[test]
fn a_run_that_is_bound_to_a_plan_makes_its_writes_once() {
    let (place, arguments) = place_of("datadog-k8s-rollback");
    let services = Services::start(&place);
    call(&place, "plan", &arguments, &["--out", "plan.json"]).ends(0);
    let plan: Value = serde_json::from_slice(&fs::read(place.path("plan.json")).expect("read it"))
        .expect("a plan is JSON");

    let run = call(&place, "run", &arguments, &["--plan-file", "plan.json", "--json"]);

    assert_eq!(run.ends(0).finished()["status"], "success");
    assert_eq!(services.effects().len(), 2, "{:?}", services.effects());
    let made = made(&run.json());
    let planned: BTreeSet<(String, String)> = plan["writes"]
        .as_array()
        .expect("writes")
        .iter()
        .map(|write| {
            (write["step"].as_str().unwrap().into(), write["operation"].as_str().unwrap().into())
        })
        .collect();
    assert_eq!(made, planned);

    let again = call(&place, "run", &arguments, &["--plan-file", "plan.json", "--json"]);
    assert_ne!(again.code, 0);
    again.says(&["carried out already"]);
    assert_eq!(services.effects().len(), 2, "nothing more: {:?}", services.effects());
}

#[test]
fn a_plan_of_something_else_is_refused_before_anything_starts() {
    let (place, arguments) = place_of("datadog-k8s-rollback");
    let services = Services::start(&place);
    call(&place, "plan", &arguments, &["--out", "plan.json"]).ends(0);

    let mut other = arguments.clone();
    *other.last_mut().expect("a parameter") = "public_id=118".to_owned();
    call(&place, "run", &other, &["--plan-file", "plan.json"]).ends(2).says(&["other parameters"]);
    let text = fs::read_to_string(place.path("datadog-k8s-rollback.yaml")).expect("read it");
    place.write("datadog-k8s-rollback.yaml", format!("{text}# changed\n"));
    call(&place, "run", &arguments, &["--plan-file", "plan.json"]).ends(2).says(&["was changed"]);
    place.write("plan.json", "{}");
    call(&place, "run", &arguments, &["--plan-file", "plan.json"]).ends(2).says(&["is no plan"]);
    call(&place, "run", &arguments, &["--plan-file", "missing.json"]).ends(2);

    assert_eq!(services.effects(), Vec::<String>::new());
    assert_eq!(place.run(&["runs", "list", "--json"]).ends(0).json().len(), 0);
}

#[test]
fn a_plan_of_practice_services_binds_no_real_run_and_the_other_way_round() {
    let (place, arguments) = place_of("datadog-k8s-rollback");
    let services = Services::start(&place);
    let workflow = &arguments[..1];
    let parameters = ["-p", "public_id=117"];
    let drill = [&["--drill", "--out", "drill.json"], &parameters[..]].concat();
    call(&place, "plan", workflow, &drill)
        .ends(0)
        .says(&["datadog-k8s-rollback.yaml --drill -p 'public_id=117' --plan-file drill.json"]);
    call(&place, "plan", &arguments, &["--out", "plan.json"])
        .ends(0)
        .says(&["yaml --config drill.yaml -p 'public_id=117' --plan-file plan.json"]);

    let real = call(&place, "run", &arguments, &["--plan-file", "drill.json"]);
    real.ends(2).says(&["that was a drill"]);
    let other = [&["--drill", "--plan-file", "plan.json"], &parameters[..]].concat();
    call(&place, "run", workflow, &other).ends(2).says(&["this is a drill"]);
    assert_eq!(services.effects(), Vec::<String>::new());

    let again = [&["--drill", "--plan-file", "drill.json"], &parameters[..]].concat();
    call(&place, "run", workflow, &again).ends(0);
}

#[test]
fn a_plan_of_one_place_is_not_carried_out_at_another() {
    let (one, other) =
        (Far::start(|_, _| Way::json(200, "{}")), Far::start(|_, _| Way::json(200, "{}")));
    let mut place = Place::new();
    one.settings(&mut place, "");
    place.write("w.yaml", workflow("", &[tell("post", "/v1/things", "")]));
    place.run(&["plan", "w.yaml", "--out", "plan.json"]).ends(0);
    other.settings(&mut place, "");

    let run = place.run(&["run", "w.yaml", "--plan-file", "plan.json", "--json"]);

    run.ends(4);
    assert!(run.stdout.contains("denied.plan") && run.stdout.contains("led to"), "{}", run.stdout);
    assert!(one.lines().is_empty() && other.lines().is_empty());
}

#[test]
fn a_plan_replaces_an_open_file_by_one_that_is_the_user_s_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let far = Far::start(|_, _| Way::json(200, "{}"));
    let place = far.place(&[tell("post", "/v1/things", "")]);
    place.write("plan.json", "old");
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(place.path("plan.json"), open).expect("open it");

    place.run(&["plan", "w.yaml", "--out", "plan.json"]).ends(0);

    let mode = fs::metadata(place.path("plan.json")).expect("look").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A rollout of somebody else.
const ROLLOUT: &str = "steps:\n- name: other\n  image: kubernetes-kubectl\n  spec:\n    connection: !Connection {type: kubernetes, name: prod}\n    namespace: default\n    command: set image\n    args: [deployment/nginx-deployment, nginx=nginx:1.26]\n";

const SCALING: &str = "steps:\n- name: other\n  image: kubernetes-kubectl\n  spec:\n    connection: !Connection {type: kubernetes, name: prod}\n    namespace: default\n    command: scale\n    args: [deployment/nginx-deployment, --replicas=5]\n";

#[test]
fn a_cluster_that_changed_since_makes_no_write_that_was_not_shown() {
    let (place, arguments) = place_of("datadog-k8s-rollback");
    let services = Services::start(&place);
    call(&place, "plan", &arguments, &["--out", "plan.json"]).ends(0);
    place.write("rollout.yaml", ROLLOUT);
    place.run(&["run", "rollout.yaml", "--config", "drill.yaml"]).ends(0);
    let between = services.effects().len();

    let run = call(&place, "run", &arguments, &["--plan-file", "plan.json", "--json"]);

    let finished = run.ends(4).finished();
    assert_eq!(finished["status"], "failure");
    assert_eq!(finished["steps"]["kubectl-deployment-rollback"]["status"], "failure");
    assert_eq!(finished["steps"]["update-timeline"]["status"], "skipped");
    assert!(run.stdout.contains("denied.plan"), "{}", run.stdout);
    assert_eq!(services.effects().len(), between, "{:?}", services.effects());
}

#[test]
fn a_change_that_leaves_the_planned_write_as_it_is_does_not_stop_it() {
    let (place, arguments) = place_of("datadog-k8s-rollback");
    let services = Services::start(&place);
    call(&place, "plan", &arguments, &["--out", "plan.json"]).ends(0);
    place.write("scaling.yaml", SCALING);
    place.run(&["run", "scaling.yaml", "--config", "drill.yaml"]).ends(0);
    let between = services.effects().len();

    let run = call(&place, "run", &arguments, &["--plan-file", "plan.json", "--json"]);

    assert_eq!(run.ends(0).finished()["status"], "success");
    assert_eq!(services.effects().len(), between + 2, "{:?}", services.effects());
}

#[test]
fn what_a_plan_could_not_know_is_not_written_by_a_run_that_is_bound_to_it() {
    let (place, arguments) = place_of("incident-declare-and-tell");
    let services = Services::start(&place);
    let plan = call(&place, "plan", &arguments, &["--json", "--out", "plan.json"]);
    let (writes, _) = shown(&plan.json().pop().expect("a plan"));

    let run = call(&place, "run", &arguments, &["--plan-file", "plan.json", "--json"]);

    run.ends(4);
    let made = made(&run.json());
    assert!(made.is_subset(&writes), "{made:#?} beside {writes:#?}");
    let effects = services.effects();
    assert_eq!(effects.len(), made.len(), "{effects:?}");
}

#[test]
fn no_post_leaves_a_plan_whatever_the_service() {
    let far = Far::start(|_, _| Way::json(200, r#"{"ok": true}"#));
    let mut place = Place::new();
    far.settings(&mut place, "");
    let slack = "- name: message\n  image: slack-message\n  spec:\n    connection: !Connection {type: slack, name: workspace}\n    channel: '#incidents'\n    message: it is down\n";
    let steps = [
        ask("look", "/v1/state", ""),
        tell("post", "/v1/things", "dependsOn: look\n"),
        tell("other", "/v1/others", "").replace("POST", "DELETE").replace("    json: {n: 1}\n", ""),
        slack.to_owned(),
        approval("confirm", "dependsOn: look\n"),
        tell("behind", "/v1/behind", "dependsOn: confirm\n"),
        tell("unknown", "/v1/unknown", "dependsOn: post\n")
            .replace("json: {n: 1}", "json: {n: !Output {from: post, name: json}}"),
    ];
    place.write("w.yaml", workflow("", &steps));

    let plan = place.run(&["plan", "w.yaml", "--json", "--out", "plan.json"]);

    let plan = plan.ends(0).json().pop().expect("a plan");
    assert_eq!(far.lines(), ["GET /v1/state"]);
    let (writes, followed) = shown(&plan);
    let operations: BTreeSet<&str> = writes.iter().map(|(_, text)| text.as_str()).collect();
    let expected =
        ["DELETE /v1/others", "POST /chat.postMessage", "POST /v1/behind", "POST /v1/things"];
    assert_eq!(operations, expected.into_iter().collect(), "{plan:#}");
    assert_eq!(followed["unknown"], "depends-on-unmade", "{plan:#}");
    let text = place.run(&["plan", "w.yaml"]);
    text.ends(0);
    for part in ["POST", "/v1/things", "it is down"] {
        assert!(text.stdout.contains(part), "`{part}` is not in:\n{}", text.stdout);
    }
    assert_eq!(far.lines(), ["GET /v1/state"; 2]);
    // What was shown is not shown to everybody.
    let mode = fs::metadata(place.path("plan.json")).expect("look at it").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o077, 0);
}

#[test]
fn a_bound_run_is_refused_a_write_of_other_content() {
    let far = Far::start(|request, before| match (request.method.as_str(), before) {
        ("GET", 0) => Way::json(200, r#"{"version": 1}"#),
        ("GET", _) => Way::json(200, r#"{"version": 2}"#),
        _ => Way::json(200, "{}"),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let post = tell("post", "/v1/things", "dependsOn: look\n")
        .replace("json: {n: 1}", "json: {n: !Output {from: look, name: json}}");
    place.write("w.yaml", workflow("", &[ask("look", "/v1/state", ""), post]));
    place.run(&["plan", "w.yaml", "--out", "plan.json"]).ends(0);

    let run = place.run(&["run", "w.yaml", "--plan-file", "plan.json", "--json"]);

    run.ends(4);
    assert!(run.stdout.contains("denied.plan"), "{}", run.stdout);
    assert_eq!(far.count("POST /v1/things"), 0);
    let shown = place.run(&["runs", "show", "@latest"]);
    assert!(
        shown.ends(0).stdout.contains("no write that the plan did not show"),
        "{}",
        shown.stdout
    );
    assert_eq!(json!(run.finished()["status"]), "failure");
}

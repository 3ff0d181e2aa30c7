//! A rollback on a small cluster that behaves: versions, conditions, lost answers, other people.

use bowline_sdk::testing::{Call, Host, lost, remote, unreachable};
use bowline_sdk::{ConnectError, Disposition, Failure, Reason};
use kubernetes_kubectl::run;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// What happens to one write.
enum Fate {
    /// It takes effect, and its answer is lost.
    DoneAndLost,
    /// It takes effect, and the host knows only that it did.
    DoneAsRecorded,
    /// It is lost, and so is its answer.
    Lost,
    /// It is answered with this status and takes no effect.
    Refused(u16),
    /// Somebody changes the object just before.
    After(fn(&mut Value)),
    /// The same, and the server words the failed condition as a 422 without a cause.
    AfterAs422(fn(&mut Value)),
    /// No connection.
    Unsent,
}

struct Cluster {
    deployment: Value,
    sets: Vec<Value>,
    version: u64,
    writes: usize,
    fates: VecDeque<Fate>,
    blind: bool,
}

type Shared = Rc<RefCell<Cluster>>;

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image, "newer": {"than": "this"}}]},
    })
}

fn cluster(fates: Vec<Fate>) -> Shared {
    let set = |name: &str, revision: &str, image: &str| {
        let mut template = template(image);
        template["metadata"]["labels"]["pod-template-hash"] = json!(name);
        json!({
            "metadata": {
                "name": name,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"controller": true, "uid": "u-1"}],
            },
            "spec": {"template": template},
        })
    };
    let deployment = json!({
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "u-1", "resourceVersion": "1",
            "generation": 3, "annotations": {"deployment.kubernetes.io/revision": "3"},
        },
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template("web:bad")},
        "status": {"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2},
    });
    let sets = vec![set("a", "1", "web:old"), set("b", "2", "web:good"), set("c", "3", "web:bad")];
    let fates = fates.into();
    Rc::new(RefCell::new(Cluster { deployment, sets, version: 1, writes: 0, fates, blind: false }))
}

impl Cluster {
    fn touch(&mut self) {
        self.version += 1;
        self.deployment["metadata"]["resourceVersion"] = json!(self.version.to_string());
    }

    /// The deployment controller gives the revision in use a new number.
    fn settle(&mut self) {
        let now = self.deployment["spec"]["template"]["spec"].clone();
        for set in &mut self.sets {
            if set["spec"]["template"]["spec"] == now {
                set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("4");
                self.deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] =
                    json!("4");
            }
        }
        self.touch();
    }

    fn answer(&mut self, call: &Call) -> Result<Value, ConnectError> {
        if self.blind {
            return Err(unreachable("kubernetes"));
        }
        match call {
            Call::Get { .. } => Ok(self.deployment.clone()),
            Call::List { .. } => Ok(json!({"items": self.sets})),
            Call::Patch { patch, options, .. } => {
                self.writes += 1;
                let fate = self.fates.pop_front();
                if let Some(Fate::After(change) | Fate::AfterAs422(change)) = fate {
                    change(&mut self.deployment);
                    self.touch();
                }
                match fate {
                    Some(Fate::Refused(status)) => {
                        return Err(remote("kubernetes", status, &json!({"message": "no"})));
                    }
                    Some(Fate::AfterAs422(_)) => {
                        let status = json!({"message": "the server rejected our request"});
                        return Err(remote("kubernetes", 422, &status));
                    }
                    Some(Fate::Lost) => return Err(lost("kubernetes")),
                    Some(Fate::Unsent) => return Err(unreachable("kubernetes")),
                    _ => (),
                }
                if options.if_version.as_deref()
                    != self.deployment["metadata"]["resourceVersion"].as_str()
                {
                    let status =
                        json!({"reason": "Conflict", "message": "the object has been modified"});
                    return Err(remote("kubernetes", 409, &status));
                }
                assert_eq!(patch.as_array().map(Vec::len), Some(2));
                self.deployment["spec"]["template"] = patch[0]["value"].clone();
                self.deployment["metadata"]["annotations"] = patch[1]["value"].clone();
                self.touch();
                match fate {
                    Some(Fate::DoneAndLost) => Err(lost("kubernetes")),
                    Some(Fate::DoneAsRecorded) => Err(done_before()),
                    _ => Ok(self.deployment.clone()),
                }
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn image(&self) -> &str {
        self.deployment["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .expect("image")
    }
}

/// What a step is told of a write that took effect before, when the answer is not on record.
fn done_before() -> ConnectError {
    let message = "it took effect before, and its answer is lost; nothing is sent again";
    let permanent = remote("kubernetes", 400, &json!({"message": message}));
    ConnectError {
        reason: Reason::Other,
        code: "effect.done".to_owned(),
        status: None,
        details: None,
        in_doubt: true,
        ..permanent
    }
}

fn host(cluster: &Shared) -> Host {
    let cluster = Rc::clone(cluster);
    Host::new().kubernetes("cluster", move |call| cluster.borrow_mut().answer(call))
}

/// The host of a step that is run again after a crash in the middle of its write: what it read
/// then is told again, and the write and all behind it are asked for.
fn host_after_a_crash(cluster: &Shared) -> impl FnOnce(&Shared) -> Host {
    let read = [cluster.borrow().deployment.clone(), json!({"items": cluster.borrow().sets})];
    |cluster| {
        let (cluster, recorded) = (Rc::clone(cluster), RefCell::new(VecDeque::from(read)));
        Host::new().kubernetes("cluster", move |call| match recorded.borrow_mut().pop_front() {
            Some(answer) => Ok(answer),
            None => cluster.borrow_mut().answer(call),
        })
    }
}

fn undo(host: &Host) -> Result<Value, Failure> {
    let inputs = json!({
        "command": "rollout", "args": "undo deployment.v1.apps/web", "namespace": "shop",
        "cluster": {"name": "c", "connection": {"connection": {"type": "kubernetes", "name": "k"}}},
    });
    host.run(&inputs, run)
}

#[test]
fn k22_k36_a_rollback_says_from_where_to_where_and_keeps_what_it_does_not_know() {
    let cluster = cluster(vec![]);
    let host = host(&cluster);

    let outputs = undo(&host).expect("outputs");

    assert_eq!(
        outputs,
        json!({
            "changed": true, "deployment": "web", "name": "web", "kind": "Deployment",
            "namespace": "shop", "fromRevision": 3,
            "toRevision": 2, "images": {"web": "web:good"},
            "message": "deployment.apps/web rolled back",
        })
    );
    assert_eq!(cluster.borrow().deployment["spec"]["template"], template("web:good"));
    assert_eq!(
        cluster.borrow().deployment["metadata"]["annotations"],
        json!({"deployment.kubernetes.io/revision": "3"}),
        "nothing is left behind that kubectl would not leave"
    );
    let line = "info revision 3 (web=web:bad) -> revision 2 (web=web:good)".to_owned();
    assert!(host.lines().contains(&line), "{:#?}", host.lines());
}

#[test]
fn the_handle_is_weakened_to_the_one_deployment() {
    let cluster = cluster(vec![]);
    let first = host(&cluster);
    undo(&first).expect("outputs");
    let scope = &first.restricted()[0];
    assert_eq!(scope[0]["name"], "web");
    assert_eq!(scope[0]["fields"], json!(["/spec/template", "/metadata/annotations"]));
    assert_eq!((&scope[0]["verbs"], &scope[1]["verbs"]), (&json!(["get"]), &json!(["patch"])));
    assert_eq!(scope[1]["fields"], scope[0]["fields"]);
    assert_eq!(scope.as_array().map(Vec::len), Some(4));

    let second = host(&cluster).refusing_to_restrict();
    undo(&second).expect("a narrower grant is no reason to fail");
}

#[test]
fn k28_k30_k31_k35_every_trouble_on_the_way_ends_at_the_wished_revision() {
    let scale: fn(&mut Value) = |deployment| deployment["spec"]["replicas"] = json!(9);
    let status: fn(&mut Value) = |deployment| deployment["status"]["updatedReplicas"] = json!(1);
    let cases: Vec<(&str, Vec<Fate>, usize)> = vec![
        ("the answer is lost", vec![Fate::DoneAndLost], 1),
        ("done before, as the host knows", vec![Fate::DoneAsRecorded], 1),
        ("the write is lost", vec![Fate::Lost], 2),
        ("lost three times", vec![Fate::Lost, Fate::Lost, Fate::DoneAndLost], 3),
        ("503 without effect", vec![Fate::Refused(503)], 2),
        ("429, certainly not done", vec![Fate::Refused(429)], 2),
        ("no connection", vec![Fate::Unsent], 2),
        ("the status changed meanwhile", vec![Fate::After(status)], 2),
        ("somebody scaled meanwhile", vec![Fate::After(scale)], 2),
        ("409 although nothing changed", vec![Fate::Refused(409)], 2),
        ("a failed condition worded as 422", vec![Fate::AfterAs422(status)], 2),
    ];
    for (name, fates, writes) in cases {
        let cluster = cluster(fates);
        let outputs = undo(&host(&cluster)).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(outputs["changed"], true, "{name}");
        assert_eq!(outputs["toRevision"], 2, "{name}");
        assert_eq!(cluster.borrow().image(), "web:good", "{name}");
        assert_eq!(cluster.borrow().writes, writes, "{name}");
        let replicas = if name == "somebody scaled meanwhile" { 9 } else { 2 };
        assert_eq!(cluster.borrow().deployment["spec"]["replicas"], replicas, "{name}");
    }
}

#[test]
fn k27_a_step_that_is_run_again_never_brings_the_bad_release_back() {
    let cluster = cluster(vec![]);
    let after_a_crash = host_after_a_crash(&cluster);
    undo(&host(&cluster)).expect("the write took effect, and then the process died");
    cluster.borrow_mut().settle();

    let outputs = undo(&after_a_crash(&cluster)).expect("once more");

    assert_eq!(cluster.borrow().image(), "web:good");
    assert_eq!(cluster.borrow().writes, 2, "the second is refused, as its version is gone");
    assert_eq!(outputs["changed"], true);
    assert_eq!((&outputs["fromRevision"], &outputs["toRevision"]), (&json!(3), &json!(2)));
    assert_eq!(outputs["message"], "deployment.apps/web rolled back");
}

#[test]
fn a_write_that_never_left_before_a_crash_is_made_then() {
    let cluster = cluster(vec![]);

    let outputs = undo(&host_after_a_crash(&cluster)(&cluster)).expect("outputs");

    assert_eq!((cluster.borrow().image(), cluster.borrow().writes), ("web:good", 1));
    assert_eq!(outputs["changed"], true);
}

#[test]
fn somebody_elses_release_after_a_crash_is_left_alone() {
    let cluster = cluster(vec![]);
    let after_a_crash = host_after_a_crash(&cluster);
    undo(&host(&cluster)).expect("the write took effect, and then the process died");
    cluster.borrow_mut().deployment["spec"]["template"] = template("web:hotfix");
    cluster.borrow_mut().touch();

    let failure = undo(&after_a_crash(&cluster)).expect_err("changed");

    assert_eq!((failure.code(), failure.disposition()), ("conflict", Disposition::Permanent));
    assert!(failure.message().contains("changed by someone else meanwhile"), "{failure}");
    assert_eq!(cluster.borrow().image(), "web:hotfix");
}

#[test]
fn k29_a_change_between_look_and_write_stops_the_step() {
    let release: fn(&mut Value) =
        |deployment| deployment["spec"]["template"] = template("web:hotfix");
    let anew: fn(&mut Value) = |deployment| deployment["metadata"]["uid"] = json!("u-2");
    let pause: fn(&mut Value) = |deployment| deployment["spec"]["paused"] = json!(true);
    let cases = [
        (
            "a release",
            release,
            "conflict",
            "was changed by someone else meanwhile (web=web:hotfix)",
        ),
        ("made anew", anew, "conflict", "was deleted and made anew meanwhile"),
        ("paused", pause, "conflict.paused", "you cannot rollback a paused deployment"),
    ];
    for (name, change, code, text) in cases {
        let cluster = cluster(vec![Fate::After(change)]);
        let failure = undo(&host(&cluster)).expect_err(name);
        assert_eq!(failure.code(), code, "{name}: {failure}");
        assert!(failure.message().contains(text), "{name}: {failure}");
        assert_eq!(cluster.borrow().writes, 1, "{name}");
    }
}

#[test]
fn when_nobody_can_tell_the_step_says_so_and_is_not_repeated() {
    let cluster = cluster(vec![]);
    let inner = Rc::clone(&cluster);
    let host = Host::new().kubernetes("cluster", move |call| {
        let mut cluster = inner.borrow_mut();
        if matches!(call, Call::Patch { .. }) {
            cluster.blind = true;
            return Err(lost("kubernetes"));
        }
        cluster.answer(call)
    });

    let failure = undo(&host).expect_err("unknown");

    assert_eq!((failure.code(), failure.disposition()), ("ambiguous", Disposition::Permanent));
    assert_eq!(failure.details()["inDoubt"], true);
    let compare = "Compare its template with that of revision 2 (web=web:good)";
    assert!(failure.message().contains(compare), "{failure}");
}

#[test]
fn k37_a_refusal_of_the_server_is_final_and_worded_as_kubectl_does() {
    for status in [400, 403, 422] {
        let cluster = cluster(vec![Fate::Refused(status)]);
        let failure = undo(&host(&cluster)).expect_err("refused");
        assert_eq!(failure.message(), "failed restoring revision 0: no", "{status}");
        assert_eq!(cluster.borrow().writes, 1, "{status}");
        assert_eq!(cluster.borrow().image(), "web:bad", "{status}");
    }
}

#[test]
fn a_paused_deployment_is_refused_after_the_history_was_read() {
    let cluster = cluster(vec![]);
    cluster.borrow_mut().deployment["spec"]["paused"] = json!(true);
    let failure = undo(&host(&cluster)).expect_err("paused");
    assert!(
        failure.message().starts_with("you cannot rollback a paused deployment; resume it first")
    );

    cluster.borrow_mut().sets.truncate(0);
    let failure = undo(&host(&cluster)).expect_err("no history");
    assert_eq!(failure.message(), "no rollout history found for deployment \"web\"");
}

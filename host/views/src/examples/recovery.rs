//! How it looks when things go wrong on the way: tries that fail, a process that ends, a write of
//! which nobody knows whether it took effect.

use super::*;
use crate::StepStatus;
use journal::Question;

fn busy() -> Failure {
    let disposition = Disposition::Retryable;
    Failure { disposition, ..Failure::permanent("http.status-503", "the server is busy\u{1b}") }
}

impl Tale {
    fn fails_once(self, step: &str, attempt: u32, delay_ms: u64) -> Self {
        let (step, failure) = (name(step), busy());
        self.then(100, Event::AttemptFailed { step, attempt, failure, delay_ms })
    }

    fn resumes(self, step: &str, keep: u32) -> Self {
        self.then(10, Event::StepResumed { step: name(step), attempt: 1, keep })
    }

    fn gets_no_answer(self, step: &str, number: u32) -> Self {
        let message = "no answer within 30000 ms\u{9b}".to_owned();
        let question = Question { digest: "d".to_owned(), quorum: 1, ..Question::default() };
        let step = name(step);
        self.then(10, Event::OutcomeUnknown { step, attempt: 1, number, message, question })
    }

    fn hears_of(self, step: &str, number: u32, done: bool) -> Self {
        let (step, by, reason) = (name(step), "ana".to_owned(), Some("I see it there".to_owned()));
        self.then(10, Event::OutcomeSettled { step, attempt: 1, number, done, by, reason })
    }

    fn asks_again(self, step: &str, number: u32) -> Self {
        let (step, why) = (name(step), "its precondition holds only once".to_owned());
        self.then(10, Event::EffectAskedAgain { step, attempt: 1, number, why })
    }

    fn loses_its_host(self, step: &str) -> Self {
        let gone = Event::StepInterrupted { step: name(step), attempt: 1 };
        self.then(60_000, Event::RunResumed { by: "bob".to_owned() }).then(0, gone)
    }
}

const POST: &str = "POST /api/v2/incidents/5/timeline";

/// A read, a write that got no answer, and the question about it.
pub(super) fn unknown() -> Tale {
    let timeline = effect("datadog/prod", POST, true);
    let (step, readings) = (name("tell"), Readings::default());
    let intended =
        Event::EffectIntended { step, attempt: 1, number: 2, effect: timeline, readings };
    tale(vec![planned("tell", &[]), planned("after", &["tell"])])
        .starts("tell")
        .intends("tell", 1, "GET /api/v2/incidents/5", false)
        .answered("tell", 1, 200)
        .then(5, intended)
        .settles("tell", 2, EffectOutcome::InDoubt { message: "no answer within 30 s".to_owned() })
        .gets_no_answer("tell", 2)
        .ends(RunStatus::Waiting)
}

/// The write is on record as done, and the rest follows.
pub(super) fn settled() -> Tale {
    unknown()
        .then(60_000, Event::RunResumed { by: "bob".to_owned() })
        .hears_of("tell", 2, true)
        .resumes("tell", 2)
        .succeeds("tell", json!({"url": "https://app.datadoghq.com/incidents/5"}))
        .starts("after")
        .succeeds("after", json!({}))
        .ends(RunStatus::Success)
}

fn interrupted() -> Tale {
    tale(vec![planned("undo", &[])])
        .starts("undo")
        .intends("undo", 1, "get apps/deployments default/web", false)
        .answered("undo", 1, 200)
        .intends("undo", 2, "patch apps/deployments default/web", true)
        .loses_its_host("undo")
}

fn retried() -> Tale {
    tale(vec![planned("undo", &[])]).starts("undo").fails_once("undo", 1, 4_000)
}

#[test]
fn tries_that_fail() {
    let waits = retried();
    let view = waits.view();
    let step = &view.steps[0];
    assert_eq!((step.status, step.attempts, step.try_number()), (StepStatus::Running, 1, 2));
    assert_eq!(step.retry_at, Some(START + 110 + 4_000));
    check(
        &waits.tree(&Look::PLAIN),
        &expect![[r#"
        ● rollback  1.1s  0192f0c1-7c00-7000-8000-000000000001  by eric
        └─◐ undo  0.1s    retrying in 3s (try 2): the server is busy\u{1b} (http.status-503)
    "#]],
    );
    let tries = waits.then(4_000, Event::StepStarted { step: name("undo"), attempt: 2 });
    check(
        &tries.tree(&Look::PLAIN),
        &expect![[r#"
        ● rollback  5.1s  0192f0c1-7c00-7000-8000-000000000001  by eric
        └─◐ undo  1.0s    try 2
    "#]],
    );
    let again = tries.fails_once("undo", 2, 61_000);
    assert_eq!(again.view().steps[0].tries.len(), 2);
    check(
        &again.lines(),
        &expect![[r#"
        14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
        14:03:01 undo started attempt=1
        14:03:01 undo retrying in 4s (try 2): the server is busy\u{1b} (http.status-503)
        14:03:05 undo started attempt=2
        14:03:05 undo retrying in 1m01s (try 3): the server is busy\u{1b} (http.status-503)
    "#]],
    );
    check(
        &text::summary(&again.view(), &Look::PLAIN),
        &expect![[r#"
        ● rollback is running after 4.2s (1 running)
          ◐ undo retrying in 1m01s (try 3): the server is busy\u{1b} (http.status-503)
          next:  bowline runs resume 0192f0c1-7c00-7000-8000-000000000001
    "#]],
    );
    check(
        &show::page(&again.view(), &Look::PLAIN),
        &expect![[r#"
            ● rollback is running
              run         0192f0c1-7c00-7000-8000-000000000001
              started     2026-11-22 14:03:01 by eric
              workflow    run books/rollback.yaml
              digest      sha256:abc
              parameter   deployment = "web\u001b[2J"

              if its process is gone, it can go on:  bowline runs resume 0192f0c1-7c00-7000-8000-000000000001

            ◐ undo  between two tries, try 3 at 14:04:06, attempt 2
                plugin      undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                started     2026-11-22 14:03:05
                try         14:03:01 attempt 1 failed, tried again after 4s: the server is busy\u{1b} (http.status-503)
                try         14:03:05 attempt 2 failed, tried again after 1m01s: the server is busy\u{1b} (http.status-503)
        "#]],
    );
    // Who stops the run stops the wait as well.
    let stopped =
        again.then(0, Event::CancelRequested { by: "ana".to_owned() }).ends(RunStatus::Cancelled);
    assert_eq!(stopped.view().steps[0].status, StepStatus::Cancelled);
    assert!(json::finished(&stopped.view()).contains(r#""undo":{"status":"cancelled""#));
}

#[test]
fn a_process_that_ended() {
    let gone = interrupted();
    assert_eq!(gone.view().steps[0].status, StepStatus::Interrupted);
    assert!(gone.view().steps[0].effects[1].is_in_doubt());
    check(
        &gone.tree(&Look::PLAIN),
        &expect![[r#"
        ● rollback  1m01s  0192f0c1-7c00-7000-8000-000000000001  by eric
        └─○ undo  1m00s   interrupted, runs again
    "#]],
    );
    check(
        &show::page(&gone.view(), &Look::PLAIN),
        &expect![[r#"
            ● rollback is running
              run         0192f0c1-7c00-7000-8000-000000000001
              started     2026-11-22 14:03:01 by eric
              taken up    2026-11-22 14:04:01 by bob
              workflow    run books/rollback.yaml
              digest      sha256:abc
              parameter   deployment = "web\u001b[2J"

              if its process is gone, it can go on:  bowline runs resume 0192f0c1-7c00-7000-8000-000000000001

            ○ undo  interrupted after 1m00s
                plugin      undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                started     2026-11-22 14:03:01
                read        14:03:01 get apps/deployments default/web on kubernetes/eric0-demos: answered 200
                in doubt    14:03:01 patch apps/deployments default/web on kubernetes/eric0-demos: no answer was recorded; it may have taken effect
        "#]],
    );
    let page = |driven| show::page_of(&gone.view(), driven, &Look::PLAIN);
    let resume = format!("bowline runs resume {RUN}");
    assert!(
        page(Some(false)).contains(&format!("nobody drives it any more; it can go on:  {resume}"))
    );
    assert!(!page(Some(true)).contains(&resume));

    let goes_on = gone
        .resumes("undo", u32::MAX)
        .asks_again("undo", 2)
        .answered("undo", 2, 409)
        .intends("undo", 3, "get apps/deployments default/web", false)
        .answered("undo", 3, 200)
        .succeeds("undo", json!({"changed": true}))
        .ends(RunStatus::Success);
    let view = goes_on.view();
    let step = &view.steps[0];
    assert_eq!((step.attempts, step.resumed, step.effects[1].asked), (1, 1, 1));
    assert!(!step.effects[1].is_in_doubt() && !step.effects[1].changed());
    check(
        &goes_on.lines(),
        &expect![[r#"
        14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
        14:03:01 undo started attempt=1
        14:03:01 undo calls patch apps/deployments default/web on kubernetes/eric0-demos
        14:04:01 run 0192f0c1-7c00-7000-8000-000000000001 goes on, taken up by bob
        14:04:01 undo interrupted attempt=1: the host ended in the middle of it
        14:04:01 undo goes on attempt=1, with all that is on record of it
        14:04:01 undo calls patch apps/deployments default/web on kubernetes/eric0-demos again: its precondition holds only once
        14:04:01 undo called patch apps/deployments default/web on kubernetes/eric0-demos: answered 409
        14:04:03 undo succeeded after 2.1s changed=true
        14:04:03 run 0192f0c1-7c00-7000-8000-000000000001 succeeded
    "#]],
    );
    check(
        &show::page(&view, &Look::PLAIN),
        &expect![[r#"
        ✔ rollback succeeded
          run         0192f0c1-7c00-7000-8000-000000000001
          started     2026-11-22 14:03:01 by eric
          finished    2026-11-22 14:04:03, after 1m02s
          taken up    2026-11-22 14:04:01 by bob
          workflow    run books/rollback.yaml
          digest      sha256:abc
          parameter   deployment = "web\u001b[2J"

        ✔ undo  succeeded after 2.1s
            plugin      undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
            started     2026-11-22 14:04:01
            resumed     1 time, with what was on record of it
            output      changed = true
            read        14:03:01 get apps/deployments default/web on kubernetes/eric0-demos: answered 200
            write       14:03:01 patch apps/deployments default/web on kubernetes/eric0-demos: answered 409 (asked again: its precondition holds only once)
            read        14:04:01 get apps/deployments default/web on kubernetes/eric0-demos: answered 200
    "#]],
    );
}

#[test]
fn a_write_that_nobody_knows_the_end_of() {
    let open = unknown();
    let view = open.view();
    assert_eq!((view.status, view.steps[0].status), (RunStatus::Waiting, StepStatus::Waiting));
    assert_eq!(view.steps[0].question().map(|question| question.digest.as_str()), Some("d"));
    check(
        &open.lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 tell started attempt=1
            14:03:01 tell calls POST /api/v2/incidents/5/timeline on datadog/prod
            14:03:01 tell called POST /api/v2/incidents/5/timeline on datadog/prod: it may have taken effect: no answer within 30 s
            14:03:01 tell waits: nobody knows whether POST /api/v2/incidents/5/timeline on datadog/prod took effect; bowline runs resolve 0192f0c1-7c00-7000-8000-000000000001 tell --outcome done|not-done
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 waits for a person
        "#]],
    );
    check(
        &open.tree(&Look::PLAIN),
        &expect![[r#"
        ◐ rollback  1.1s  0192f0c1-7c00-7000-8000-000000000001  by eric
        ├─◐ tell   0.1s    nobody knows whether a write took effect
        │    bowline runs resolve 0192f0c1-7c00-7000-8000-000000000001 tell --outcome done|not-done
        └─○ after          waits for tell
    "#]],
    );
    check(
        &text::summary(&view, &Look::PLAIN),
        &expect![[r#"
            ◐ rollback waits for a person after 0.1s (1 waits for a person, 1 not started)
              ◐ tell waits for a person: nobody knows whether a write took effect
                  in doubt: POST /api/v2/incidents/5/timeline on datadog/prod: it may have taken effect: no answer within 30 s
              ○ after not started
              next:  bowline runs resolve 0192f0c1-7c00-7000-8000-000000000001 tell --outcome done
                     bowline runs resolve 0192f0c1-7c00-7000-8000-000000000001 tell --outcome not-done
                     bowline runs cancel 0192f0c1-7c00-7000-8000-000000000001
        "#]],
    );
    check(
        &show::page(&view, &Look::PLAIN),
        &expect![[r#"
            ◐ rollback waits for a person
              run         0192f0c1-7c00-7000-8000-000000000001
              started     2026-11-22 14:03:01 by eric
              workflow    run books/rollback.yaml
              digest      sha256:abc
              parameter   deployment = "web\u001b[2J"

              tell waits: nobody knows whether this took effect:
                POST /api/v2/incidents/5/timeline on datadog/prod, left the host 14:03:01: no answer within 30 s
                no answer within 30000 ms\u{9b}
                look there, then:  bowline runs resolve 0192f0c1-7c00-7000-8000-000000000001 tell --outcome done|not-done

            ◐ tell  waits for a person after 0.1s
                plugin      tell 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                started     2026-11-22 14:03:01
                read        14:03:01 GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 200
                in doubt    14:03:01 POST /api/v2/incidents/5/timeline on datadog/prod: it may have taken effect: no answer within 30 s

            ○ after  not started
                plugin      after 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
                after       tell
        "#]],
    );

    let known = settled();
    let view = known.view();
    let call = &view.steps[0].effects[1];
    assert!(call.changed() && !call.is_in_doubt(), "{call:?}");
    assert_eq!(view.steps[0].question(), None);
    check(
        &known.lines(),
        &expect![[r#"
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
            14:03:01 tell started attempt=1
            14:03:01 tell calls POST /api/v2/incidents/5/timeline on datadog/prod
            14:03:01 tell called POST /api/v2/incidents/5/timeline on datadog/prod: it may have taken effect: no answer within 30 s
            14:03:01 tell waits: nobody knows whether POST /api/v2/incidents/5/timeline on datadog/prod took effect; bowline runs resolve 0192f0c1-7c00-7000-8000-000000000001 tell --outcome done|not-done
            14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 waits for a person
            14:04:01 run 0192f0c1-7c00-7000-8000-000000000001 goes on, taken up by bob
            14:04:01 tell POST /api/v2/incidents/5/timeline on datadog/prod: it took effect, according to ana: I see it there
            14:04:01 tell goes on attempt=1, with what is on record up to call 2
            14:04:03 tell succeeded after 2.0s url=https://app.datadoghq.com/incidents/5
            14:04:03 after started attempt=1
            14:04:05 after succeeded after 2.0s
            14:04:05 run 0192f0c1-7c00-7000-8000-000000000001 succeeded
        "#]],
    );
    check(
        &show::page(&view, &Look::PLAIN),
        &expect![[r#"
        ✔ rollback succeeded
          run         0192f0c1-7c00-7000-8000-000000000001
          started     2026-11-22 14:03:01 by eric
          finished    2026-11-22 14:04:05, after 1m04s
          taken up    2026-11-22 14:04:01 by bob
          workflow    run books/rollback.yaml
          digest      sha256:abc
          parameter   deployment = "web\u001b[2J"

        ✔ tell  succeeded after 2.0s
            plugin      tell 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
            started     2026-11-22 14:04:01
            resumed     1 time, with what was on record of it
            output      url = "https://app.datadoghq.com/incidents/5"
            read        14:03:01 GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 200
            write       14:03:01 POST /api/v2/incidents/5/timeline on datadog/prod: it took effect, according to ana: I see it there

        ✔ after  succeeded after 2.0s
            plugin      after 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000
            started     2026-11-22 14:04:03
    "#]],
    );

    // Asked again after that, it is open again.
    let again = unknown().hears_of("tell", 2, false).resumes("tell", 2).asks_again("tell", 2);
    let call = &again.view().steps[0].effects[1];
    assert!(call.is_in_doubt() && call.settled.is_none() && call.left_at > call.at, "{call:?}");

    // Nobody ever said, and the run was given up: the doubt stays.
    let given_up = unknown()
        .then(0, Event::CancelRequested { by: "ana".to_owned() })
        .ends(RunStatus::Cancelled);
    assert_eq!(given_up.view().steps[0].status, StepStatus::Cancelled);
    check(
        &text::summary(&given_up.view(), &Look::PLAIN),
        &expect![[r#"
            ⊘ rollback was cancelled by ana after 0.1s (1 cancelled, 1 not started)
              ⊘ tell cancelled
                  in doubt: POST /api/v2/incidents/5/timeline on datadog/prod: it may have taken effect: no answer within 30 s
                  last call: GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 200
              ○ after not started
              next:  bowline runs show 0192f0c1-7c00-7000-8000-000000000001
                     bowline run 'run books/rollback.yaml'
        "#]],
    );
}

#[test]
fn what_came_behind_a_cut_is_superseded() {
    let cut = tale(vec![planned("undo", &[])])
        .starts("undo")
        .intends("undo", 1, "patch apps/deployments default/web", true)
        .answered("undo", 1, 200)
        .intends("undo", 2, "get apps/deployments default/web", false)
        .answered("undo", 2, 503)
        .fails_once("undo", 1, 1_000)
        .resumes("undo", 1)
        .intends("undo", 3, "get apps/deployments default/web", false)
        .answered("undo", 3, 200);
    let view = cut.view();
    let dropped: Vec<bool> = view.steps[0].effects.iter().map(|effect| effect.dropped).collect();
    assert_eq!(dropped, [false, true, false]);
    assert!(show::page(&view, &Look::PLAIN).contains("answered 503 (superseded)"));
    assert!(cut.lines().contains("undo goes on attempt=1, with what is on record up to call 1"));
}

#[test]
fn a_run_that_is_reopened_is_not_over() {
    let reopened = failed().then(
        60_000,
        Event::RunReopened {
            by: "ana\u{202e}".to_owned(),
            steps: vec![name("look up"), name("tell")],
            heard: 0,
        },
    );
    let view = reopened.view();
    assert_eq!((view.status, view.finished_at), (RunStatus::Running, None));
    let step = &view.steps[1];
    assert_eq!(
        (step.status, step.effects.len(), &step.failure),
        (StepStatus::NotStarted, 1, &None)
    );
    assert_eq!(view.steps[0].status, StepStatus::Success);
    check(
        &reopened.tree(&Look::PLAIN),
        &expect![[r#"
        ● rollback  1m05s  0192f0c1-7c00-7000-8000-000000000001  by eric
        ├─✔ undo     4.5s
        ├─○ look up
        └─○ tell             waits for look up
    "#]],
    );
    assert!(
        reopened.lines().ends_with("14:04:05 ana\\u{202e} has this tried again: look up, tell\n")
    );
    assert!(show::page(&view, &Look::PLAIN).contains("reopened    2026-11-22 14:04:05 by ana"));
}

#[test]
fn a_run_whose_time_is_up() {
    let stopped = Failure {
        disposition: Disposition::Cancelled,
        ..Failure::permanent("step.cancelled", "stopped on request")
    };
    let late = tale(vec![planned("undo", &[]), planned("wait", &[]), planned("tell", &["undo"])])
        .starts("undo")
        .starts("wait")
        .fails_once("wait", 1, 600_000)
        .then(300_000, Event::RunTimedOut { seconds: 300 })
        .fails("undo", stopped)
        .ends(RunStatus::Failure);
    let view = late.view();
    let standing: Vec<&str> = view.steps.iter().map(|step| step.status.as_str()).collect();
    assert_eq!(standing, ["cancelled", "cancelled", "not-started"]);
    check(
        &late.lines(),
        &expect![[r#"
        14:03:01 run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric
        14:03:01 undo started attempt=1
        14:03:01 wait started attempt=1
        14:03:01 wait retrying in 10m00s (try 2): the server is busy\u{1b} (http.status-503)
        14:08:01 the run's time is up: it was allowed 5m00s
        14:08:03 undo cancelled after 5m02s: stopped on request (step.cancelled)
        14:08:03 run 0192f0c1-7c00-7000-8000-000000000001 failed
    "#]],
    );
    check(
        &text::summary(&view, &Look::PLAIN),
        &expect![[r#"
            ✖ rollback failed after 5m02s, the run's time is up: it was allowed 5m00s (2 cancelled, 1 not started)
              ⊘ undo cancelled after 5m02s: stopped on request (step.cancelled)
                  it changed nothing outside
              ⊘ wait cancelled before try 2: the server is busy\u{1b} (http.status-503)
                  it changed nothing outside
              ○ tell not started
              next:  bowline runs show 0192f0c1-7c00-7000-8000-000000000001
                     bowline runs retry 0192f0c1-7c00-7000-8000-000000000001
        "#]],
    );
}

#[test]
fn what_only_a_replay_needs_is_in_no_line() {
    let mut heard = settled();
    let mut readings = Readings::default();
    readings.push(1_795_356_181_123_456);
    let (step, reply) = (name("tell"), Some("blake3:piece".to_owned()));
    let piece =
        Event::StreamHeard { step, attempt: 1, number: 2, reply, readings: readings.clone() };
    heard = heard.then(0, piece);
    if let Event::EffectIntended { readings: kept, .. } = &mut heard.events[2].event {
        *kept = readings;
    }

    let lines = heard.json();
    let view = heard.view();
    let all = [
        lines.clone(),
        heard.lines(),
        show::page(&view, &Look::PLAIN),
        text::summary(&view, &Look::PLAIN),
        crate::report::markdown(&view, &heard.events),
        format!("{view:?}"),
    ];
    for shown in all {
        for secret in ["0707", "seed", "readings", "123456", "blake3:told", "blake3:piece"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
    assert!(lines.contains(r#"{"event":"stream-heard""#) && !heard.lines().contains("heard"));
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert!(value["event"].is_string() && value["run"] == RUN, "{line}");
    }
    check(
        &lines,
        &expect![[r#"
        {"event":"run-started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.000Z","position":0,"boundToPlan":false,"by":"eric","drill":false,"parameters":{"deployment":"web\u001b[2J"},"source":"run books/rollback.yaml","sourceDigest":"sha256:abc","steps":[{"after":[],"image":"relaysh/tell","kind":"container","name":"tell","plugin":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","name":"tell","version":"1.0.0"}},{"after":["tell"],"image":"relaysh/after","kind":"container","name":"after","plugin":{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","name":"after","version":"1.0.0"}}],"workflow":"rollback"}
        {"event":"step-started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.010Z","position":1,"attempt":1,"step":"tell"}
        {"event":"effect-intended","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.011Z","position":2,"attempt":1,"effect":{"connection":"kubernetes/eric0-demos","digest":"blake3:0","operation":"GET /api/v2/incidents/5","writes":false},"number":1,"step":"tell"}
        {"event":"effect-settled","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.061Z","position":3,"attempt":1,"number":1,"outcome":{"bytes":9,"outcome":"answered","status":200},"step":"tell"}
        {"event":"effect-intended","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.066Z","position":4,"attempt":1,"effect":{"connection":"datadog/prod","digest":"blake3:0","operation":"POST /api/v2/incidents/5/timeline","writes":true},"number":2,"step":"tell"}
        {"event":"effect-settled","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.116Z","position":5,"attempt":1,"number":2,"outcome":{"message":"no answer within 30 s","outcome":"in-doubt"},"step":"tell"}
        {"event":"outcome-unknown","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:03:01.126Z","position":6,"attempt":1,"message":"no answer within 30000 ms\u009b","number":2,"question":{"digest":"d","quorum":1},"step":"tell"}
        {"event":"run-finished","run":"0192f0c1-7c00-7000-8000-000000000001","status":"waiting","steps":{"after":{"status":"not-started","outputs":{},"attempts":0},"tell":{"status":"waiting","outputs":{},"attempts":1}}}
        {"event":"run-resumed","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:04:01.126Z","position":8,"by":"bob"}
        {"event":"outcome-settled","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:04:01.136Z","position":9,"attempt":1,"by":"ana","done":true,"number":2,"reason":"I see it there","step":"tell"}
        {"event":"step-resumed","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:04:01.146Z","position":10,"attempt":1,"keep":2,"step":"tell"}
        {"event":"step-succeeded","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:04:03.146Z","position":11,"attempt":1,"outputs":{"url":"https://app.datadoghq.com/incidents/5"},"step":"tell"}
        {"event":"step-started","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:04:03.156Z","position":12,"attempt":1,"step":"after"}
        {"event":"step-succeeded","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:04:05.156Z","position":13,"attempt":1,"outputs":{},"step":"after"}
        {"event":"run-finished","run":"0192f0c1-7c00-7000-8000-000000000001","status":"success","steps":{"after":{"status":"success","outputs":{},"attempts":1},"tell":{"status":"success","outputs":{"url":"https://app.datadoghq.com/incidents/5"},"attempts":1}}}
        {"event":"stream-heard","run":"0192f0c1-7c00-7000-8000-000000000001","at":"2026-11-22T14:04:05.156Z","position":15,"attempt":1,"number":2,"step":"tell"}
    "#]],
    );
}

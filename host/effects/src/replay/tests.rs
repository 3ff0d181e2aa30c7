//! What an attempt is told that is run again, wherever the one before it ended.

use super::*;
use crate::{
    AttemptOptions, BudgetLimits, Effective, Mode, Redactor, Rehearsal, SendError, digest,
};
use async_trait::async_trait;
use journal::conformance::{owner, start, step};
use journal::{Change, Claim, Event, Journal, MemoryJournal, RunId, Shown, StepRecorder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Something outside that writes are counted at.
#[derive(Default)]
struct FarSide {
    asked: Mutex<Vec<String>>,
    /// Writes that took effect.
    done: Mutex<Vec<String>>,
    /// What a look finds; None when it fails.
    looks: Mutex<Option<bool>>,
    /// The status of its answers, if it is not 200.
    answers: Mutex<Option<u16>>,
}

impl FarSide {
    fn list(list: &Mutex<Vec<String>>) -> Vec<String> {
        list.lock().expect("no panic").clone()
    }
}

/// One call to it.
struct Call<'a> {
    far: &'a FarSide,
    text: &'static str,
    writes: bool,
    /// The answer never comes, though the write took effect.
    lost: bool,
}

fn cut() -> SendError {
    SendError {
        reason: Reason::Unreachable,
        code: "connection.cut",
        message: "cut".to_owned(),
        sent: true,
        permanent: false,
    }
}

#[async_trait]
impl Wire for Call<'_> {
    async fn send(&self, _bytes_max: u64) -> Result<Answer, SendError> {
        self.far.asked.lock().expect("no panic").push(self.text.to_owned());
        if self.writes {
            self.far.done.lock().expect("no panic").push(self.text.to_owned());
        }
        if self.lost {
            return Err(cut());
        }
        let body = format!("answer to {}", self.text).into_bytes();
        let status = self.far.answers.lock().expect("no panic").unwrap_or(200);
        Ok(Answer { status, headers: Vec::new(), body })
    }

    async fn took_effect(&self, _bytes_max: u64) -> Option<Look> {
        let found = self.far.looks.lock().expect("no panic").ok_or_else(cut);
        Some(Look { asked: "GET /look".to_owned(), found })
    }

    async fn rehearse(&self, _bytes_max: u64) -> Rehearsal {
        let changes = vec![Change { field: "x".into(), from: None, to: Some("1".into()) }];
        match self.text.starts_with("try") {
            true => {
                let answer = Answer { status: 200, headers: Vec::new(), body: b"tried".to_vec() };
                Rehearsal::Tried { answer, changes }
            }
            false => Rehearsal::Shown(Shown::Request {
                method: "POST".into(),
                url: "https://x/".into(),
                credentials: Vec::new(),
                body: String::new(),
            }),
        }
    }
}

/// One run with one step, in which attempts begin and end.
struct World {
    journal: Arc<dyn Journal>,
    run: RunId,
    claim: Claim,
    far: FarSide,
}

impl World {
    async fn new() -> Self {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
        let (run, first) = start("w");
        let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
        Self { journal, run, claim, far: FarSide::default() }
    }

    /// A world in which only the first `events` of this one were written.
    async fn cut(&self, events: usize) -> Self {
        let all = self.events().await;
        let cut = Self::new().await;
        let kept = all[..events].to_vec();
        let mut replies = Vec::new();
        for event in &kept {
            if let Event::EffectSettled { reply: Some(digest), .. } = event {
                let bytes = self.journal.reply(&self.run, digest).await.expect("read");
                replies.push(journal::Reply::new(bytes.expect("it is kept")));
            }
        }
        let batch = journal::Batch { events: kept, replies, last: false };
        cut.journal.append_batch(&cut.claim, batch).await.expect("append");
        cut
    }

    /// All but the start of the run.
    async fn events(&self) -> Vec<Event> {
        let events = self.journal.events(&self.run, 1, 1000).await.expect("read");
        events.into_iter().map(|recorded| recorded.event).collect()
    }

    async fn record(&self) -> StepRecord {
        let mut record = StepRecord::default();
        self.events().await.iter().for_each(|event| record.apply(event));
        record
    }

    /// An attempt that goes on from what is written; with `keep`, from the calls up to there.
    async fn again(&self, keep: u32, mode: Mode) -> Grant {
        let event = Event::StepResumed { step: step(), attempt: 1, keep };
        self.journal.append(&self.claim, vec![event]).await.expect("append");
        let before = Some(Arc::new(self.record().await));
        let (journal, claim) = (Arc::clone(&self.journal), self.claim.clone());
        let attempt = Attempt::new(AttemptOptions {
            stop: CancellationToken::new(),
            deadline: Instant::now() + Duration::from_secs(60),
            limits: BudgetLimits::default(),
            redactor: Redactor::new(Vec::new()),
            recorder: StepRecorder::going_on(journal, claim, step(), 1, before),
            mode,
            last_word: Duration::ZERO,
        });
        let scope = Effective::asked(Scope::Http(vec![]));
        Grant::new(Arc::new(attempt), "x", "http/x", scope, None, None)
    }

    async fn call(
        &self,
        grant: &Grant,
        text: &'static str,
        repeatable: Option<Repeatable>,
        lost: bool,
    ) -> Result<String, CallError> {
        let writes = !text.starts_with("get");
        let operation = Operation {
            writes,
            repeatable,
            ..Operation::read(text.to_owned(), digest(&[text.as_bytes()]))
        };
        let wire = Call { far: &self.far, text, writes, lost };
        let answer = grant.carry(operation, &|_| Ok(1), &wire).await?;
        Ok(String::from_utf8(answer.body).expect("text"))
    }
}

/// What a step does: reads, writes, and reads again. What it reads of a clock goes into the list.
async fn script(world: &World, grant: &Grant, ticks: &AtomicU32) -> Result<Vec<String>, CallError> {
    let read_clock = || {
        let (value, _) =
            grant.attempt().reading(|| u64::from(ticks.fetch_add(1, Ordering::SeqCst)));
        value.to_string()
    };
    let mut seen = vec![read_clock()];
    seen.push(world.call(grant, "get 1", None, false).await?);
    seen.push(read_clock());
    seen.push(world.call(grant, "put 2", Some(Repeatable::Idempotent), false).await?);
    seen.push(read_clock());
    seen.push(world.call(grant, "get 3", None, false).await?);
    seen.push(world.call(grant, "put 4", Some(Repeatable::Recognised), false).await?);
    Ok(seen)
}

#[tokio::test]
async fn an_attempt_cut_after_any_event_sees_the_same_and_repeats_no_finished_call() {
    let whole = World::new().await;
    let first = script(&whole, &whole.again(u32::MAX, Mode::Act).await, &AtomicU32::new(0)).await;
    let first = first.expect("run");
    let events = whole.events().await;

    for cut in 0..=events.len() {
        let world = whole.cut(cut).await;
        let settled = |event: &Event| match event {
            Event::EffectSettled { number, .. } => Some(*number),
            _ => None,
        };
        let finished: Vec<u32> = events[..cut].iter().filter_map(settled).collect();
        let grant = world.again(u32::MAX, Mode::Act).await;

        let seen = script(&world, &grant, &AtomicU32::new(100)).await.expect("run");

        let asked = FarSide::list(&world.far.asked);
        for number in &finished {
            let call = ["get 1", "put 2", "get 3", "put 4"][*number as usize - 1];
            assert!(!asked.iter().any(|asked| asked == call), "{call} again, cut after {cut}");
        }
        assert_eq!(asked.len(), 4 - finished.len(), "cut after {cut}: {asked:?}");
        let answers = |seen: &[String]| {
            seen.iter().filter(|text| text.starts_with("answer")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(answers(&seen), answers(&first), "cut after {cut}");
        // What was read before a call that is on record is read again.
        if finished.contains(&1) {
            assert_eq!(seen[0], "0", "cut after {cut}");
        }
        grant.attempt().ends_as_recorded().expect("nothing is left");
    }
}

#[tokio::test]
async fn numbers_of_calls_are_never_given_twice() {
    let world = World::new().await;
    let grant = world.again(u32::MAX, Mode::Act).await;
    for text in ["put 1", "get 2", "get 3"] {
        world.call(&grant, text, None, false).await.expect("call");
    }
    let grant = world.again(1, Mode::Act).await;
    for text in ["put 1", "get 2"] {
        world.call(&grant, text, None, false).await.expect("call");
    }

    let record = world.record().await;

    assert_eq!(record.calls.iter().map(|call| call.number).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(FarSide::list(&world.far.asked), ["put 1", "get 2", "get 3", "get 2"]);
}

#[tokio::test]
async fn what_is_asked_for_must_be_what_was_asked_for() {
    let world = World::new().await;
    world.call(&world.again(u32::MAX, Mode::Act).await, "put 1", None, false).await.expect("call");

    let grant = world.again(u32::MAX, Mode::Act).await;
    let other = world.call(&grant, "put 2", None, false).await.expect_err("diverged");
    let later = world.call(&grant, "put 1", None, false).await.expect_err("it is over");

    assert_eq!((other.code.as_str(), other.in_doubt), ("replay.diverged", false));
    assert!(other.message.contains("call 1 was `put 1`"), "{}", other.message);
    assert_eq!(later.reason, Reason::Revoked);
    let ended = grant.attempt().ended_by_host().expect("it was ended");
    assert_eq!(ended.code, "replay.diverged");
    assert_eq!(FarSide::list(&world.far.asked), ["put 1"]);
}

#[tokio::test]
async fn a_step_that_does_less_than_before_has_diverged_too() {
    let world = World::new().await;
    world.call(&world.again(u32::MAX, Mode::Act).await, "put 1", None, false).await.expect("call");
    let grant = world.again(u32::MAX, Mode::Act).await;

    let failure = grant.attempt().ends_as_recorded().expect_err("a call is missing");

    assert_eq!(failure.code, "replay.diverged");
}

/// A write whose answer is lost, in an attempt that then goes on from there.
async fn in_flight(repeatable: Option<Repeatable>, looks: Option<bool>) -> (World, Grant) {
    let world = World::new().await;
    *world.far.looks.lock().expect("no panic") = looks;
    let grant = world.again(u32::MAX, Mode::Act).await;
    let lost = world.call(&grant, "post", repeatable, true).await.expect_err("lost");
    assert!(lost.in_doubt);
    let grant = world.again(1, Mode::Act).await;
    (world, grant)
}

#[tokio::test]
async fn the_write_in_flight_is_judged_and_never_guessed_at() {
    use Repeatable::{Conditional, Idempotent, Recognised, Verifiable};
    type Case = (Option<Repeatable>, Option<bool>, usize, Result<&'static str, &'static str>);
    let cases: [Case; 8] = [
        (Some(Conditional), None, 2, Ok("answer to post")),
        (Some(Idempotent), None, 2, Ok("answer to post")),
        (Some(Recognised), None, 2, Ok("answer to post")),
        (Some(Verifiable), Some(false), 2, Ok("answer to post")),
        (Some(Verifiable), Some(true), 1, Err("effect.done")),
        (Some(Verifiable), None, 1, Err(Failure::UNKNOWN)),
        // Whoever can look is asked, even where nothing was promised.
        (None, Some(true), 1, Ok("{}")),
        (None, None, 1, Err(Failure::UNKNOWN)),
    ];
    for (repeatable, looks, sent, expected) in cases {
        let (world, grant) = in_flight(repeatable, looks).await;

        let told = world.call(&grant, "post", repeatable, false).await;

        let case = format!("{repeatable:?}, look {looks:?}");
        assert_eq!(FarSide::list(&world.far.asked).len(), sent, "{case}");
        let told = told.as_ref().map(String::as_str).map_err(|error| error.code.as_str());
        assert_eq!(told, expected, "{case}");
        let ended = grant.attempt().ended_by_host().map(|failure| failure.code);
        assert_eq!(
            ended.as_deref(),
            (expected == Err(Failure::UNKNOWN)).then_some(Failure::UNKNOWN),
            "{case}"
        );
    }
}

#[tokio::test]
async fn what_a_person_has_settled_holds() {
    for (done, sent, expected) in [(true, 1, "{}"), (false, 2, "answer to post")] {
        let (world, _) = in_flight(None, None).await;
        let settled = Event::OutcomeSettled {
            step: step(),
            attempt: 1,
            number: 1,
            done,
            by: "ann".into(),
            reason: None,
        };
        world.journal.append(&world.claim, vec![settled]).await.expect("append");
        let grant = world.again(1, Mode::Act).await;

        let told = world.call(&grant, "post", None, false).await.expect("an answer");

        assert_eq!((FarSide::list(&world.far.asked).len(), told.as_str()), (sent, expected));
        // Once it is answered, it is a call like others.
        let grant = world.again(u32::MAX, Mode::Act).await;
        assert_eq!(world.call(&grant, "post", None, false).await.expect("told"), expected);
        assert_eq!(FarSide::list(&world.far.asked).len(), sent);
    }
}

#[tokio::test]
async fn a_refusal_is_told_again_and_not_written_twice() {
    let world = World::new().await;
    let refuse = async |grant: &Grant| {
        let why = CallError::invalid("http.invalid-path", "no path");
        grant.refused("GET nowhere", why).await
    };
    let first = refuse(&world.again(u32::MAX, Mode::Act).await).await;
    let events = world.events().await.len();

    let grant = world.again(u32::MAX, Mode::Act).await;
    let again = refuse(&grant).await;

    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    // The grant and the resumption are new.
    assert_eq!(world.events().await.len(), events + 2);
}

#[tokio::test]
async fn a_plan_makes_no_write_and_shows_each() {
    let world = World::new().await;
    let grant = world.again(u32::MAX, Mode::Plan).await;

    assert_eq!(world.call(&grant, "get 1", None, false).await.expect("read"), "answer to get 1");
    assert_eq!(world.call(&grant, "try 2", None, false).await.expect("tried"), "tried");
    assert!(grant.attempt().is_withheld(), "what it reads now does not show what it wrote");
    let withheld = world.call(&grant, "post 3", None, false).await.expect_err("withheld");

    assert_eq!(withheld.reason, Reason::Withheld);
    assert_eq!(FarSide::list(&world.far.done), Vec::<String>::new());
    let planned = world.events().await;
    let planned = planned.iter().filter(|event| matches!(event, Event::EffectPlanned { .. }));
    assert_eq!(planned.count(), 2);
}

#[tokio::test]
async fn a_run_that_is_bound_to_a_plan_writes_nothing_else() {
    let world = World::new().await;
    let shown = journal::PlannedWrite {
        address: None,
        step: step(),
        connection: "http/x".into(),
        operation: "post 1".into(),
        content: digest(&[b"post 1"]),
    };
    let other = journal::PlannedWrite { content: digest(&[b"else"]), ..shown.clone() };
    let grant = world.again(u32::MAX, Mode::Bound(crate::Bound::new(vec![shown]))).await;

    world.call(&grant, "post 1", None, false).await.expect("shown");
    world.call(&grant, "get 2", None, false).await.expect("a read");
    let denied = world.call(&grant, "post 3", None, false).await.expect_err("not shown");
    assert_eq!((denied.reason, denied.code.as_str()), (Reason::Denied, "denied.plan"));

    let grant = world.again(0, Mode::Bound(crate::Bound::new(vec![other]))).await;
    world.call(&grant, "post 1", None, false).await.expect_err("another content");
    assert_eq!(FarSide::list(&world.far.done), ["post 1"]);
}

#[tokio::test]
async fn somebody_s_secret_is_kept_nowhere_and_asked_for_anew() {
    let world = World::new().await;
    let read = async |grant: &Grant| {
        let operation = Operation {
            unkept: true,
            ..Operation::read("get secret".to_owned(), digest(&[b"get secret"]))
        };
        let wire = Call { far: &world.far, text: "get secret", writes: false, lost: false };
        grant.carry(operation, &|_| Ok(1), &wire).await.expect("an answer").body
    };
    let first = read(&world.again(u32::MAX, Mode::Act).await).await;
    let record = world.record().await;
    assert_eq!(record.calls[0].reply, None);

    let again = read(&world.again(u32::MAX, Mode::Act).await).await;

    assert_eq!((first, FarSide::list(&world.far.asked).len()), (again, 2));
}

#[tokio::test]
async fn a_write_whose_answer_is_not_kept_is_told_by_how_it_was_answered() {
    let cases =
        [(200, 1, Ok((200, "{}"))), (409, 1, Ok((409, ""))), (503, 1, Err(Failure::UNKNOWN))];
    for (status, sent, expected) in cases {
        let world = World::new().await;
        *world.far.answers.lock().expect("no panic") = Some(status);
        let write = async |grant: &Grant| {
            let operation = Operation {
                writes: true,
                unkept: true,
                ..Operation::read("post secret".to_owned(), digest(&[b"post secret"]))
            };
            let wire = Call { far: &world.far, text: "post secret", writes: true, lost: false };
            grant.carry(operation, &|_| Ok(1), &wire).await
        };
        write(&world.again(u32::MAX, Mode::Act).await).await.expect("an answer");

        let told = write(&world.again(u32::MAX, Mode::Act).await).await;

        let told =
            told.map(|answer| (answer.status, String::from_utf8(answer.body).expect("text")));
        let told = told.as_ref().map(|(status, body)| (*status, body.as_str()));
        assert_eq!(told.map_err(|error| error.code.as_str()), expected, "{status}");
        assert_eq!(FarSide::list(&world.far.asked).len(), sent, "{status}");
    }
}

#[tokio::test]
async fn a_write_is_made_as_often_as_the_plan_has_shown_it_and_where_it_led_then() {
    let shown = |address: Option<&str>| journal::PlannedWrite {
        address: address.map(str::to_owned),
        step: step(),
        connection: "http/x".into(),
        operation: "post 1".into(),
        content: digest(&[b"post 1"]),
    };
    let bound = |writes| Mode::Bound(crate::Bound::new(writes));
    let world = World::new().await;
    let grant = world.again(0, bound(vec![shown(None), shown(None)])).await;
    for _ in 0..2 {
        world.call(&grant, "post 1", None, false).await.expect("shown twice");
    }
    let third = world.call(&grant, "post 1", None, false).await.expect_err("twice and not more");
    assert!(third.message.contains("no more often"), "{third:?}");

    // An attempt that goes on counts what was made before its process ended.
    let grant = world.again(2, bound(vec![shown(None), shown(None)])).await;
    for _ in 0..2 {
        world.call(&grant, "post 1", None, false).await.expect("told again");
    }
    world.call(&grant, "post 1", None, false).await.expect_err("made twice already");

    let world = World::new().await;
    *world.far.answers.lock().expect("no panic") = Some(409);
    let grant = world.again(0, bound(vec![shown(None)])).await;
    for _ in 0..2 {
        world.call(&grant, "post 1", None, false).await.expect("what was refused was not made");
    }

    let world = World::new().await;
    let grant = world.again(0, bound(vec![shown(Some("https://then/"))])).await;
    let moved = world.call(&grant, "post 1", None, false).await.expect_err("another place");
    assert!(moved.message.contains("https://then/"), "{moved:?}");
    assert_eq!(FarSide::list(&world.far.asked), Vec::<String>::new());
}

#[tokio::test]
async fn refusals_beyond_a_limit_are_on_record_once_and_do_not_confuse_what_follows() {
    let world = World::new().await;
    let script = async |grant: &Grant| {
        let mut told = Vec::new();
        for _ in 0..3 {
            let large = Operation {
                request_bytes: u64::MAX,
                ..Operation::read("get large".to_owned(), digest(&[b"large"]))
            };
            let wire = Call { far: &world.far, text: "get large", writes: false, lost: false };
            let refused = grant.carry(large, &|_| Ok(1), &wire).await.expect_err("too large");
            told.push(refused.code);
        }
        told.push(world.call(grant, "put 1", None, false).await.expect("an answer"));
        told
    };
    let first = script(&world.again(u32::MAX, Mode::Act).await).await;

    let again = script(&world.again(u32::MAX, Mode::Act).await).await;

    assert_eq!(first, again);
    assert_eq!(FarSide::list(&world.far.asked), ["put 1"]);
}

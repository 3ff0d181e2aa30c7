//! What every journal promises, as tests.
//!
//! A new journal adds one [`conforms!`](crate::conforms) to its tests and inherits all of
//! them. What is not tested here is not promised, and no caller may rely on it. Each function
//! panics when the promise is broken.

use crate::chain::{Examined, Hash, examine};
use crate::{
    Batch, Claim, Decided, Decision, Effect, Event, Journal, JournalError, Level, Owner, Question,
    Recorded, Reply, Request, RunContext, RunId, RunStatus, Verdict,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use workflow::{Plan, StepName};

/// Any journal, shared as the program shares it.
pub type Subject = Arc<dyn Journal>;

/// Makes one test for each promise and the journal that `$make` gives: a pair of what must
/// live as long as the test (a temporary folder, or `()`) and the journal.
#[macro_export]
macro_rules! conforms {
    ($kind:ident, $make:expr) => {
        $crate::conforms!(@each $kind, $make,
            events_come_back_in_the_order_of_writing,
            events_are_read_in_pages,
            one_append_happens_at_one_time,
            an_empty_append_writes_nothing,
            positions_have_no_gaps_when_many_write_at_once,
            a_run_that_exists_is_not_created_again,
            a_run_begins_with_its_own_start,
            an_outdated_claim_writes_nothing,
            a_run_in_living_hands_is_held,
            a_run_whose_owner_is_gone_is_taken_over,
            an_owner_may_claim_its_run_again,
            of_many_who_claim_at_once_one_may_write,
            a_released_run_is_free,
            a_run_that_nobody_knows_is_empty_and_can_not_be_changed,
            what_is_queued_comes_before_what_is_appended_later,
            what_is_queued_is_written_without_an_append,
            what_is_queued_is_written_before_a_release,
            runs_are_listed_newest_first_and_in_pages,
            the_list_follows_the_run,
            lines_do_not_wake_a_finished_run,
            requests_are_counted_per_run,
            runs_do_not_see_each_other,
            any_text_comes_back_as_it_was,
            each_event_is_chained_to_the_one_before,
            the_chain_goes_on_over_claims_and_is_read_in_pages,
            the_last_batch_gives_the_run_up,
            a_heartbeat_brings_requests_and_tells_an_outdated_claim,
            what_could_go_on_is_found,
            replies_are_kept_until_the_run_succeeds,
            of_many_who_decide_at_once_one_is_first,
            a_decision_counts_once_and_only_for_what_is_asked,
            a_finished_run_asks_nothing,
            old_runs_are_forgotten_and_no_others,
        );
    };
    (@each $kind:ident, $make:expr, $($promise:ident,)*) => {
        mod $kind {
            #[allow(unused_imports, reason = "for the expression that makes the journal")]
            use super::*;

            $(
                #[tokio::test]
                async fn $promise() {
                    let (_kept, journal) = $make;
                    let subject: $crate::conformance::Subject = std::sync::Arc::new(journal);
                    let promise = $crate::conformance::$promise(subject);
                    tokio::time::timeout(std::time::Duration::from_secs(60), promise)
                        .await
                        .expect("end in time");
                }
            )*
        }
    };
}

/// A process that is not this one, told apart by its number.
#[must_use]
pub fn owner(pid: u32) -> Owner {
    Owner { boot: "a-start-of-the-machine".to_owned(), pid, started: 1 }
}

/// A new run of an empty workflow of that name, and its first event.
#[must_use]
pub fn start(workflow: &str) -> (RunId, Event) {
    let run = RunId::fresh();
    let plan = Plan {
        workflow: workflow.to_owned(),
        source: format!("{workflow}.yaml"),
        source_digest: "sha256:0".to_owned(),
        extras: Default::default(),
        parameters: BTreeMap::new(),
        steps: Vec::new(),
    };
    let by = "eric".to_owned();
    let (plan, context) = (Box::new(plan), Box::<RunContext>::default());
    let first = Event::RunStarted { run: run.clone(), plan, by, drill: false, context };
    (run, first)
}

/// A read, in the form in which it is written down.
#[must_use]
pub fn effect() -> Effect {
    Effect {
        connection: "http/x".to_owned(),
        operation: "GET /".to_owned(),
        writes: false,
        precondition: None,
        digest: "blake3:0".to_owned(),
        slot: None,
        rule: None,
        request_bytes: 0,
        repeatable: None,
        content: None,
        own: false,
    }
}

/// A step.
#[must_use]
pub fn step() -> StepName {
    "a".parse().expect("a step's name")
}

fn started(attempt: u32) -> Event {
    Event::StepStarted { step: step(), attempt }
}

fn line(message: &str) -> Event {
    let message = message.to_owned();
    Event::StepLogged { step: step(), attempt: 1, level: Level::Info, message, fields: Vec::new() }
}

fn cancel(by: &str) -> Request {
    Request::Cancel { by: by.to_owned() }
}

async fn begun(journal: &Subject) -> (RunId, Claim, Event) {
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first.clone()).await.expect("create");
    (run, claim, first)
}

async fn all(journal: &Subject, run: &RunId) -> Vec<Recorded> {
    journal.events(run, 0, usize::MAX).await.expect("read")
}

/// What happened after the start.
async fn later(journal: &Subject, run: &RunId) -> Vec<Event> {
    all(journal, run).await.into_iter().skip(1).map(|recorded| recorded.event).collect()
}

/// Takes the run away from whoever has it.
async fn take(journal: &Subject, run: &RunId, pid: u32) -> Claim {
    journal.claim(run, &owner(pid), &|_| true).await.expect("claim")
}

/// See [`Journal::append`].
pub async fn events_come_back_in_the_order_of_writing(journal: Subject) {
    let (run, claim, first) = begun(&journal).await;

    journal.append(&claim, vec![started(1)]).await.expect("append");
    journal.append(&claim, vec![line("x"), started(2)]).await.expect("append");

    let read = all(&journal, &run).await;
    let events: Vec<&Event> = read.iter().map(|recorded| &recorded.event).collect();
    assert_eq!(events, [&first, &started(1), &line("x"), &started(2)]);
    let positions: Vec<u64> = read.iter().map(|recorded| recorded.position).collect();
    assert_eq!(positions, [0, 1, 2, 3]);
    assert!(read.windows(2).all(|two| two[0].at <= two[1].at), "{read:?}");
}

/// See [`Journal::events`].
pub async fn events_are_read_in_pages(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    journal.append(&claim, (1..=9).map(started).collect()).await.expect("append");

    let cases = [
        (0, 0, vec![]),
        (0, 3, vec![0, 1, 2]),
        (7, 2, vec![7, 8]),
        (8, 100, vec![8, 9]),
        (10, 100, vec![]),
        (u64::MAX, usize::MAX, vec![]),
    ];
    for (from, most, expected) in cases {
        let page = journal.events(&run, from, most).await.expect("read");
        let positions: Vec<u64> = page.iter().map(|recorded| recorded.position).collect();
        assert_eq!(positions, expected, "from {from}, at most {most}");
    }
}

/// See [`Journal::append`].
pub async fn one_append_happens_at_one_time(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;

    let at = journal.append(&claim, vec![started(1), line("x")]).await.expect("append");

    let read = all(&journal, &run).await;
    assert!(read[1..].iter().all(|recorded| recorded.at == at), "{at} {read:?}");
    assert!(at > 1_600_000_000_000, "milliseconds since 1970: {at}");
}

/// See [`Journal::append`].
pub async fn an_empty_append_writes_nothing(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;

    journal.append(&claim, Vec::new()).await.expect("append");
    journal.queue(&claim, Vec::new());

    assert_eq!(later(&journal, &run).await, []);
}

/// See [`Recorded::position`].
pub async fn positions_have_no_gaps_when_many_write_at_once(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16 {
        let (journal, claim) = (Arc::clone(&journal), claim.clone());
        writers.spawn(async move {
            for attempt in 0..8 {
                journal.queue(&claim, vec![line("between")]);
                let number = writer * 8 + attempt;
                journal.append(&claim, vec![started(number)]).await.expect("append");
            }
        });
    }
    while let Some(joined) = writers.join_next().await {
        joined.expect("no panic");
    }

    let positions: Vec<u64> =
        all(&journal, &run).await.iter().map(|recorded| recorded.position).collect();

    assert_eq!(positions, (0..257).collect::<Vec<u64>>());
}

/// See [`Journal::create`].
pub async fn a_run_that_exists_is_not_created_again(journal: Subject) {
    let (run, claim, first) = begun(&journal).await;

    let second = journal.create(&run, &owner(2), first.clone()).await;

    assert!(matches!(&second, Err(JournalError::Exists { run: r }) if *r == run), "{second:?}");
    assert_eq!(all(&journal, &run).await.len(), 1);
    journal.append(&claim, vec![started(1)]).await.expect("the first claim still counts");
}

/// See [`Journal::create`].
pub async fn a_run_begins_with_its_own_start(journal: Subject) {
    let (run, _) = start("w");
    let (_, of_another) = start("w");

    for first in [started(1), of_another] {
        let made = journal.create(&run, &owner(1), first).await;
        assert!(matches!(made, Err(JournalError::NotAStart { .. })), "{made:?}");
    }

    assert_eq!(journal.run(&run).await.expect("read"), None);
}

/// See [`Claim`].
pub async fn an_outdated_claim_writes_nothing(journal: Subject) {
    let (run, old, _) = begun(&journal).await;
    let new = take(&journal, &run, 2).await;
    assert!(new.epoch > old.epoch, "{old:?} {new:?}");

    journal.queue(&old, vec![line("too late")]);
    let appended = journal.append(&old, vec![started(1)]).await;
    let released = journal.release(&old).await;

    assert!(matches!(appended, Err(JournalError::Outdated { .. })), "{appended:?}");
    assert!(matches!(released, Err(JournalError::Outdated { .. })), "{released:?}");
    journal.append(&new, vec![started(7)]).await.expect("append");
    assert_eq!(later(&journal, &run).await, [started(7)]);
    let third = journal.claim(&run, &owner(3), &|_| false).await;
    assert!(matches!(third, Err(JournalError::Held { .. })), "still held: {third:?}");
}

/// See [`Journal::claim`].
pub async fn a_run_in_living_hands_is_held(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;

    let second = journal.claim(&run, &owner(2), &|_| false).await;

    match second {
        Err(JournalError::Held { run: held, by }) => {
            assert_eq!((held, by), (run, owner(1)));
        }
        other => panic!("{other:?}"),
    }
    journal.append(&claim, vec![started(1)]).await.expect("the first claim still counts");
}

/// See [`Journal::claim`].
pub async fn a_run_whose_owner_is_gone_is_taken_over(journal: Subject) {
    let (run, _, _) = begun(&journal).await;

    let second = journal.claim(&run, &owner(2), &|owner| owner.pid == 1).await.expect("claim");

    journal.append(&second, vec![started(1)]).await.expect("append");
    let third = journal.claim(&run, &owner(3), &|owner| owner.pid == 1).await;
    assert!(matches!(third, Err(JournalError::Held { .. })), "{third:?}");
}

/// See [`Journal::claim`].
pub async fn an_owner_may_claim_its_run_again(journal: Subject) {
    let (run, old, _) = begun(&journal).await;

    let new = journal.claim(&run, &owner(1), &|_| false).await.expect("claim");

    journal.append(&new, vec![started(1)]).await.expect("append");
    let outdated = journal.append(&old, vec![started(2)]).await;
    assert!(matches!(outdated, Err(JournalError::Outdated { .. })), "{outdated:?}");
}

/// See [`Journal::claim`].
pub async fn of_many_who_claim_at_once_one_may_write(journal: Subject) {
    let (run, _, _) = begun(&journal).await;
    let mut claimants = tokio::task::JoinSet::new();
    for pid in 2..18 {
        let (journal, run) = (Arc::clone(&journal), run.clone());
        claimants.spawn(async move { take(&journal, &run, pid).await });
    }
    let claims = claimants.join_all().await;

    let mut winners = 0;
    for claim in &claims {
        match journal.append(claim, vec![started(1)]).await {
            Ok(_) => winners += 1,
            Err(JournalError::Outdated { .. }) => (),
            Err(other) => panic!("{other:?}"),
        }
    }

    assert_eq!(winners, 1, "{claims:?}");
    assert_eq!(later(&journal, &run).await.len(), 1);
}

/// See [`Journal::release`].
pub async fn a_released_run_is_free(journal: Subject) {
    let (run, old, _) = begun(&journal).await;

    assert_eq!(journal.owner(&run).await.expect("read"), Some(owner(1)));
    journal.release(&old).await.expect("release");
    assert_eq!(journal.owner(&run).await.expect("read"), None);
    let stray = journal.append(&old, vec![started(9)]).await;
    assert!(matches!(stray, Err(JournalError::Outdated { .. })), "{stray:?}");

    let new = journal.claim(&run, &owner(2), &|_| false).await.expect("claim");
    journal.append(&new, vec![started(1)]).await.expect("append");
    let outdated = journal.release(&old).await;
    assert!(matches!(outdated, Err(JournalError::Outdated { .. })), "{outdated:?}");
    assert_eq!(later(&journal, &run).await, [started(1)]);
}

/// See [`JournalError::Unknown`].
pub async fn a_run_that_nobody_knows_is_empty_and_can_not_be_changed(journal: Subject) {
    let (run, _) = start("w");
    let claim = Claim { run: run.clone(), epoch: 1 };

    assert_eq!(all(&journal, &run).await, []);
    assert_eq!(journal.requests(&run, 0).await.expect("read"), []);
    assert_eq!(journal.run(&run).await.expect("read"), None);
    journal.queue(&claim, vec![line("lost")]);
    let refused = [
        journal.claim(&run, &owner(1), &|_| true).await.err(),
        journal.append(&claim, vec![started(1)]).await.err(),
        journal.release(&claim).await.err(),
        journal.ask(&run, cancel("eric")).await.err(),
        journal.runs(Some(&run), 1).await.err(),
    ];
    for error in refused {
        assert!(matches!(&error, Some(JournalError::Unknown { run: r }) if *r == run), "{error:?}");
    }
}

/// See [`Journal::queue`].
pub async fn what_is_queued_comes_before_what_is_appended_later(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;

    journal.queue(&claim, vec![line("1")]);
    journal.queue(&claim, vec![line("2"), line("3")]);
    journal.append(&claim, vec![started(1)]).await.expect("append");
    journal.queue(&claim, vec![line("4")]);
    journal.append(&claim, vec![started(2)]).await.expect("append");

    let expected = [line("1"), line("2"), line("3"), started(1), line("4"), started(2)];
    assert_eq!(later(&journal, &run).await, expected);
}

/// See [`Journal::queue`].
pub async fn what_is_queued_is_written_without_an_append(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;

    journal.queue(&claim, vec![line("alone")]);

    while later(&journal, &run).await != [line("alone")] {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// See [`Journal::release`].
pub async fn what_is_queued_is_written_before_a_release(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;

    journal.queue(&claim, vec![line("last")]);
    journal.release(&claim).await.expect("release");

    assert_eq!(later(&journal, &run).await, [line("last")]);
}

/// See [`Journal::runs`].
pub async fn runs_are_listed_newest_first_and_in_pages(journal: Subject) {
    assert_eq!(journal.runs(None, 10).await.expect("list"), []);
    let mut made = Vec::new();
    for number in 0..5 {
        let (run, first) = start(&format!("w{number}"));
        journal.create(&run, &owner(1), first).await.expect("create");
        made.insert(0, run);
    }
    let list = async |before: Option<&RunId>, most| {
        let page = journal.runs(before, most).await.expect("list");
        page.into_iter().map(|summary| summary.run).collect::<Vec<_>>()
    };

    assert_eq!(list(None, 10).await, made);
    assert_eq!(list(None, 2).await, made[..2]);
    assert_eq!(list(Some(&made[1]), 2).await, made[2..4]);
    assert_eq!(list(Some(&made[3]), 2).await, made[4..]);
    assert_eq!(list(Some(&made[4]), 2).await, []);
    assert_eq!(list(None, 0).await, []);
}

/// See [`Event::run_status`].
pub async fn the_list_follows_the_run(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let summary = async || journal.run(&run).await.expect("read").expect("be there");
    let finished = |status| Event::RunFinished { status };

    let new = summary().await;
    assert_eq!((new.workflow.as_str(), new.status), ("w", RunStatus::Running));
    assert_eq!(new.started_at, all(&journal, &run).await[0].at);
    assert_eq!(new.finished_at, None);

    journal.append(&claim, vec![finished(RunStatus::Waiting)]).await.expect("append");
    let waiting = summary().await;
    assert_eq!((waiting.status, waiting.finished_at), (RunStatus::Waiting, None));

    journal.append(&claim, vec![started(1)]).await.expect("append");
    assert_eq!(summary().await.status, RunStatus::Running);

    for status in [RunStatus::Success, RunStatus::Failure, RunStatus::Rejected] {
        let at = journal.append(&claim, vec![line("x"), finished(status)]).await.expect("append");
        let done = summary().await;
        assert_eq!((done.status, done.finished_at), (status, Some(at)));
        assert_eq!(done.started_at, new.started_at);
        assert_eq!(journal.runs(None, 10).await.expect("list"), [done]);
    }
}

/// See [`Event::run_status`].
pub async fn lines_do_not_wake_a_finished_run(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let finished = Event::RunFinished { status: RunStatus::Cancelled };

    journal.append(&claim, vec![finished]).await.expect("append");
    journal.append(&claim, vec![line("straggler")]).await.expect("append");

    let summary = journal.run(&run).await.expect("read").expect("be there");
    assert_eq!(summary.status, RunStatus::Cancelled);
    assert!(summary.finished_at.is_some());
}

/// See [`Journal::ask`].
pub async fn requests_are_counted_per_run(journal: Subject) {
    let (one, _, _) = begun(&journal).await;
    let (two, _, _) = begun(&journal).await;

    assert_eq!(journal.ask(&one, cancel("a")).await.expect("ask"), 1);
    assert_eq!(journal.ask(&one, cancel("b")).await.expect("ask"), 2);
    assert_eq!(journal.ask(&two, cancel("c")).await.expect("ask"), 1);

    let requests = async |run, after| journal.requests(run, after).await.expect("read");
    assert_eq!(requests(&one, 0).await, [(1, cancel("a")), (2, cancel("b"))]);
    assert_eq!(requests(&one, 1).await, [(2, cancel("b"))]);
    assert_eq!(requests(&one, 2).await, []);
    assert_eq!(requests(&two, 0).await, [(1, cancel("c"))]);
    assert_eq!(requests(&two, u64::MAX).await, []);
    assert_eq!(later(&journal, &one).await, [], "a request is no event");
}

/// See [`Journal`].
pub async fn runs_do_not_see_each_other(journal: Subject) {
    let (one, claim_of_one, _) = begun(&journal).await;
    let (two, claim_of_two, _) = begun(&journal).await;

    journal.append(&claim_of_one, vec![started(1)]).await.expect("append");
    journal.append(&claim_of_two, vec![started(2)]).await.expect("append");
    let crossed = Claim { run: two.clone(), epoch: claim_of_one.epoch + 1 };
    let refused = journal.append(&crossed, vec![started(3)]).await;

    assert!(matches!(refused, Err(JournalError::Outdated { .. })), "{refused:?}");
    assert_eq!(later(&journal, &one).await, [started(1)]);
    assert_eq!(later(&journal, &two).await, [started(2)]);
}

/// See [`Journal::append`].
pub async fn any_text_comes_back_as_it_was(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let texts = ["", "\0", "größe 😀 \u{202e}", "'; DROP TABLE run; --", "\u{1b}[31m\r\n\t\"\\"];
    let lines: Vec<Event> = texts.iter().map(|text| line(text)).collect();

    journal.append(&claim, lines.clone()).await.expect("append");
    journal.append(&claim, vec![line(&"x".repeat(1 << 20))]).await.expect("append");

    let read = later(&journal, &run).await;
    assert_eq!(read[..lines.len()], lines);
    assert_eq!(read[lines.len()], line(&"x".repeat(1 << 20)));
}

/// See [`Journal::sealed`].
pub async fn each_event_is_chained_to_the_one_before(journal: Subject) {
    let (one, claim, first) = begun(&journal).await;
    let (two, claim_of_two, _) = begun(&journal).await;
    for (claim, message) in [(&claim, "größe \0"), (&claim_of_two, "x"), (&claim, "")] {
        journal.queue(claim, vec![line("between")]);
        journal.append(claim, vec![started(1), line(message)]).await.expect("append");
    }

    let sealed = journal.sealed(&one, 0, usize::MAX).await.expect("read");

    let bodies: Vec<Event> = sealed
        .iter()
        .map(|record| serde_json::from_slice(&record.body).expect("an event"))
        .collect();
    assert_eq!(bodies[0], first);
    assert_eq!(bodies[1..], later(&journal, &one).await);
    let head = sealed.last().and_then(|last| last.hash).expect("a hash");
    let examined = examine(one.as_str(), 0, sealed.clone());
    let expected = Examined { records: 7, sound: 7, unchained: 0, head, breach: None };
    assert_eq!(examined, expected);
    let of_two = journal.sealed(&two, 0, usize::MAX).await.expect("read");
    assert!(examine(one.as_str(), 0, of_two).breach.is_some(), "the chain is the run's own");
    let mut changed = sealed;
    changed[3].body.push(b' ');
    assert_eq!(examine(one.as_str(), 0, changed).sound, 3);
}

/// See [`Journal::sealed`].
pub async fn the_chain_goes_on_over_claims_and_is_read_in_pages(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    journal.append(&claim, vec![started(1)]).await.expect("append");
    journal.append(&claim, Vec::new()).await.expect("append nothing");
    journal.release(&claim).await.expect("release");
    let claim = take(&journal, &run, 2).await;
    journal.append(&claim, vec![line("x"), started(2)]).await.expect("append");

    let mut pages = Vec::new();
    for from in [0, 2, 3] {
        pages
            .extend(journal.sealed(&run, from, if from == 0 { 2 } else { 1 }).await.expect("read"));
    }

    let positions: Vec<u64> = pages.iter().map(|record| record.position).collect();
    assert_eq!(positions, [0, 1, 2, 3]);
    let examined = examine(run.as_str(), 0, pages.clone());
    assert_eq!((examined.sound, examined.breach), (4, None));
    assert_ne!(examined.head, Hash::ORIGIN);
    let at: Vec<i64> = all(&journal, &run).await.iter().map(|recorded| recorded.at).collect();
    assert_eq!(pages.iter().map(|record| record.at).collect::<Vec<_>>(), at);
    let (nobody, _) = start("w");
    assert_eq!(journal.sealed(&nobody, 0, 10).await.expect("read"), []);
}

/// See [`Batch::last`].
pub async fn the_last_batch_gives_the_run_up(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let finished = Event::RunFinished { status: RunStatus::Waiting };

    journal.queue(&claim, vec![line("before")]);
    let batch = Batch { events: vec![finished.clone()], last: true, ..Batch::default() };
    journal.append_batch(&claim, batch).await.expect("append");

    let stray = journal.append(&claim, vec![started(9)]).await;
    assert!(matches!(stray, Err(JournalError::Outdated { .. })), "{stray:?}");
    journal.claim(&run, &owner(2), &|_| false).await.expect("it is free");
    assert_eq!(later(&journal, &run).await, [line("before"), finished]);
}

/// See [`Journal::heartbeat`].
pub async fn a_heartbeat_brings_requests_and_tells_an_outdated_claim(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    assert_eq!(journal.heartbeat(&claim, 0).await.expect("beat"), []);

    journal.ask(&run, cancel("a")).await.expect("ask");
    assert_eq!(journal.heartbeat(&claim, 0).await.expect("beat"), [(1, cancel("a"))]);
    assert_eq!(journal.heartbeat(&claim, 1).await.expect("beat"), []);

    take(&journal, &run, 2).await;
    let outdated = journal.heartbeat(&claim, 0).await;
    assert!(matches!(outdated, Err(JournalError::Outdated { .. })), "{outdated:?}");
}

/// See [`Journal::reap`].
pub async fn what_could_go_on_is_found(journal: Subject) {
    let gone = |owner: &Owner| owner.pid == 1;
    let reaped = async |most| {
        let runs = journal.reap(&gone, most).await.expect("reap");
        runs.into_iter().map(|summary| summary.run).collect::<Vec<_>>()
    };
    let finish = async |claim: &Claim, status| {
        let events = vec![Event::RunFinished { status }];
        let batch = Batch { events, last: true, ..Batch::default() };
        journal.append_batch(claim, batch).await.expect("append");
    };
    let (orphan, _, _) = begun(&journal).await;
    let (held, _, _) = begun(&journal).await;
    take(&journal, &held, 2).await;
    let (_, ended, _) = begun(&journal).await;
    finish(&ended, RunStatus::Failure).await;
    let (waiting, claim, _) = begun(&journal).await;
    journal.append(&claim, vec![asked("d", 1, None)]).await.expect("append");
    finish(&claim, RunStatus::Waiting).await;
    let (late, claim, _) = begun(&journal).await;
    journal.append(&claim, vec![asked("d", 1, Some(1))]).await.expect("append");
    finish(&claim, RunStatus::Waiting).await;

    assert_eq!(reaped(10).await, [orphan.clone(), late.clone()], "its time is over");
    journal.decide(&waiting, decision("d", "ann", Verdict::Approved)).await.expect("decide");
    assert_eq!(reaped(10).await, [orphan.clone(), waiting, late]);
    assert_eq!(reaped(1).await, [orphan]);
}

/// See [`Journal::reply`].
pub async fn replies_are_kept_until_the_run_succeeds(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let (other, _, _) = begun(&journal).await;
    let replies = [Reply::new(vec![0, 255, 10]), Reply::new(vec![7; 1 << 20])];
    assert!(replies.iter().all(Reply::is_whole));
    let batch = |events| Batch { events, replies: replies.to_vec(), last: false };
    let kept = async |run: &RunId| {
        let mut found = Vec::new();
        for reply in &replies {
            found.push(journal.reply(run, &reply.digest).await.expect("read"));
        }
        found
    };
    let all: Vec<Option<Vec<u8>>> = replies.iter().map(|reply| Some(reply.bytes.clone())).collect();

    journal.queue_batch(&claim, batch(vec![line("read")]));
    journal.append_batch(&claim, batch(vec![started(1)])).await.expect("append");
    assert_eq!(kept(&run).await, all);
    assert_eq!(kept(&other).await, [None, None], "each run keeps its own");

    for (status, expected) in [(RunStatus::Failure, all), (RunStatus::Success, vec![None, None])] {
        journal.append(&claim, vec![Event::RunFinished { status }]).await.expect("append");
        assert_eq!(kept(&run).await, expected, "{status:?}");
    }
    assert_eq!(later(&journal, &run).await.len(), 4, "the events stay");
}

/// See [`Journal::decide`].
pub async fn of_many_who_decide_at_once_one_is_first(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    journal.append(&claim, vec![asked("d", 1, None)]).await.expect("append");
    let mut people = tokio::task::JoinSet::new();
    for person in 0..16 {
        let (journal, run) = (Arc::clone(&journal), run.clone());
        let verdict = if person % 2 == 0 { Verdict::Approved } else { Verdict::Rejected };
        let decision = decision("d", &format!("p{person}"), verdict);
        people.spawn(async move { journal.decide(&run, decision).await.expect("decide") });
    }
    let decided = people.join_all().await;

    let first = decided.iter().filter(|decided| **decided == Decided::Counted { missing: 0 });
    assert_eq!(first.count(), 1, "{decided:?}");
    let requests = journal.heartbeat(&claim, 0).await.expect("beat");
    let [(1, Request::Decide { decision })] = &requests[..] else { panic!("{requests:?}") };
    let winner = Decided::Already { verdict: decision.verdict, by: decision.by.clone() };
    assert_eq!(decided.iter().filter(|decided| **decided == winner).count(), 15, "{decided:?}");
}

/// See [`Journal::decide`].
pub async fn a_decision_counts_once_and_only_for_what_is_asked(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let say = async |digest: &str, by: &str, verdict| {
        journal.decide(&run, decision(digest, by, verdict)).await.expect("decide")
    };
    assert_eq!(say("d", "ann", Verdict::Approved).await, Decided::NotAsked);

    journal.append(&claim, vec![asked("d", 2, None)]).await.expect("append");
    assert_eq!(say("e", "ann", Verdict::Approved).await, Decided::Changed);
    assert_eq!(say("d", "ann", Verdict::Approved).await, Decided::Counted { missing: 1 });
    assert!(matches!(say("d", "ann", Verdict::Approved).await, Decided::Already { .. }));
    assert_eq!(say("d", "bob", Verdict::Approved).await, Decided::Counted { missing: 0 });
    let by = "ann, bob".to_owned();
    let already = Decided::Already { verdict: Verdict::Approved, by };
    assert_eq!(say("d", "cyd", Verdict::Rejected).await, already);

    let step = step();
    let closed = Event::OutcomeSettled {
        step,
        attempt: 1,
        number: 3,
        done: true,
        by: "a look".into(),
        reason: None,
    };
    journal.append(&claim, vec![asked("f", 1, None), closed]).await.expect("append");
    let by = "a look".to_owned();
    let already = Decided::Already { verdict: Verdict::Done, by };
    assert_eq!(say("f", "ann", Verdict::NotDone).await, already);
    assert_eq!(journal.requests(&run, 0).await.expect("read").len(), 2);
}

/// See [`Journal::decide`].
pub async fn a_finished_run_asks_nothing(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let finished = Event::RunFinished { status: RunStatus::Cancelled };
    journal.append(&claim, vec![asked("d", 1, None), finished]).await.expect("append");
    let decision = decision("d", "ann", Verdict::Approved);

    assert_eq!(journal.decide(&run, decision.clone()).await.expect("decide"), Decided::NotAsked);
    let (nobody, _) = start("w");
    let unknown = journal.decide(&nobody, decision).await;
    assert!(matches!(unknown, Err(JournalError::Unknown { .. })), "{unknown:?}");
}

/// See [`Journal::prune`].
pub async fn old_runs_are_forgotten_and_no_others(journal: Subject) {
    let finished = |status| Event::RunFinished { status };
    let mut ended = Vec::new();
    for status in [RunStatus::Success, RunStatus::Failure] {
        let (run, claim, _) = begun(&journal).await;
        let batch = Batch {
            events: vec![started(1), finished(status)],
            replies: vec![Reply::new(vec![1; 4096])],
            last: true,
        };
        journal.append_batch(&claim, batch).await.expect("append");
        ended.push(run);
    }
    let (waiting, claim, _) = begun(&journal).await;
    journal.append(&claim, vec![finished(RunStatus::Waiting)]).await.expect("append");
    let (running, _, _) = begun(&journal).await;
    let listed = async || {
        let runs = journal.runs(None, 10).await.expect("list");
        runs.into_iter().map(|summary| summary.run).collect::<Vec<_>>()
    };

    assert_eq!(journal.prune(0, false).await.expect("prune").runs, 0, "none is that old");
    let tried = journal.prune(i64::MAX, true).await.expect("try");
    assert_eq!((tried.runs, tried.events), (2, 6));
    assert_eq!(listed().await.len(), 4);

    let pruned = journal.prune(i64::MAX, false).await.expect("prune");
    assert_eq!((pruned.runs, pruned.events), (2, 6));
    assert_eq!(listed().await, [running.clone(), waiting]);
    assert_eq!(all(&journal, &ended[0]).await, []);
    let (newer, _, _) = begun(&journal).await;
    assert_eq!(listed().await[..2], [newer, running], "numbers are not given again");
}

fn asked(digest: &str, quorum: u32, expires_at: Option<i64>) -> Event {
    let digest = digest.to_owned();
    let question = Question { digest, quorum, expires_at, ..Question::default() };
    Event::ApprovalAsked { step: step(), question }
}

fn decision(digest: &str, by: &str, verdict: Verdict) -> Decision {
    let (digest, by) = (digest.to_owned(), by.to_owned());
    Decision { step: step(), digest, verdict, by, reason: None }
}

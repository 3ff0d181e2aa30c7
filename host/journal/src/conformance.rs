//! What every journal promises, as tests.
//!
//! A new journal adds one [`conforms!`](crate::conforms) to its tests and inherits all of
//! them. What is not tested here is not promised, and no caller may rely on it. Each function
//! panics when the promise is broken.

mod claims;
mod events;
mod keeping;
mod people;

pub use claims::*;
pub use events::*;
pub use keeping::*;
pub use people::*;

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
            an_answer_that_was_taken_in_is_no_news,
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
    let claim = journal.create(&run, &owner(1), first.clone()).await.expect("create").claim;
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

fn asked(digest: &str, quorum: u32, expires_at: Option<i64>) -> Event {
    let digest = digest.to_owned();
    let question = Question { digest, quorum, expires_at, ..Question::default() };
    Event::ApprovalAsked { step: step(), question }
}

fn decision(digest: &str, by: &str, verdict: Verdict) -> Decision {
    let (digest, by) = (digest.to_owned(), by.to_owned());
    Decision { step: step(), digest, verdict, by, reason: None }
}

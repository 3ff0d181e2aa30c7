//! What people ask for and answer counts once.

use super::*;

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

/// See [`Journal::reap`].
pub async fn an_answer_that_was_taken_in_is_no_news(journal: Subject) {
    let (run, claim, _) = begun(&journal).await;
    let waits = Event::RunFinished { status: RunStatus::Waiting };
    journal.append(&claim, vec![asked("d", 1, None), waits.clone()]).await.expect("ask");
    journal.release(&claim).await.expect("release");
    let ready = async || journal.reap(&|_| true, 10).await.expect("look").len();
    assert_eq!(ready().await, 0, "nobody has answered");
    journal.decide(&run, decision("d", "ann", Verdict::Approved)).await.expect("decide");
    assert_eq!(ready().await, 1);

    let claim = take(&journal, &run, 2).await;
    let (step, by) = (step(), vec!["ann".to_owned()]);
    let settled = Event::ApprovalSettled { step, verdict: Verdict::Approved, by };
    journal.append(&claim, vec![settled, waits]).await.expect("take it in");
    journal.release(&claim).await.expect("release");

    assert_eq!(ready().await, 0, "it was taken in");
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

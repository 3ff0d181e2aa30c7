//! A run has one owner, and what could go on is found.

use super::*;

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

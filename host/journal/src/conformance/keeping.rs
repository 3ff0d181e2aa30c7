//! Runs are listed, their answers are kept as long as they are wanted, and old ones are forgotten.

use super::*;

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

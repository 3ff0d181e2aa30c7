//! What is written comes back as it was, in order and chained.

use super::*;

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

//! What an event costs in the journal, alone and in company, in memory and on disk.
//!
//! Prints a table of the fastest tenths, which other work on the machine disturbs least, and how
//! fast a journal is checked. `cargo bench -p journal`; with `TMPDIR` in memory the disk's waiting
//! is left out, and beside an older version it shows what the chain and the marks cost.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use journal::audit::{Which, verify};
use journal::conformance::{owner, start};
use journal::{Effect, Event, Journal, MemoryJournal, SqliteJournal};
use std::time::{Duration, Instant};

/// How often each thing is measured.
const SAMPLES: usize = 400;

fn main() {
    // `cargo test --benches` and the like only ask whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("start a runtime");
    println!("| events per append | in memory, per event | on disk, per event |");
    println!("| --- | --- | --- |");
    for together in [1, 10, 100, 1000] {
        let folder = tempfile::tempdir().expect("make a folder");
        let path = folder.path().join("runs.db");
        let disk = SqliteJournal::open(&path).expect("open");
        let memory = runtime.block_on(per_event(&MemoryJournal::default(), together));
        let written = runtime.block_on(per_event(&disk, together));
        println!("| {together} | {} | {} |", micros(memory), micros(written));
        drop(disk);
        if together == 1000 {
            let began = Instant::now();
            let done = verify(&path, &Which::All, &mut |finding| panic!("{finding:?}"));
            let records = done.expect("check").records;
            println!("\n{records} records are checked in {:.1} s", began.elapsed().as_secs_f64());
        }
    }
}

async fn per_event(journal: &dyn Journal, together: u32) -> Duration {
    let (run, first) = start("bench");
    let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let events: Vec<Event> = (1..=together).map(event).collect();
        let began = Instant::now();
        journal.append(&claim, events).await.expect("append");
        times.push(began.elapsed() / together);
    }
    times.sort();
    times[times.len() / 10]
}

/// About 350 bytes: an ordinary one.
fn event(number: u32) -> Event {
    let effect = Effect {
        connection: "kubernetes/prod".to_owned(),
        operation: "patch apps/deployments default/nginx-deployment".to_owned(),
        writes: true,
        precondition: Some("resourceVersion 4711".to_owned()),
        digest: format!("blake3:{}", "0".repeat(64)),
        slot: Some("cluster".to_owned()),
        rule: Some(1),
        request_bytes: 312,
        ..journal::conformance::effect()
    };
    let step = "roll-back".parse().expect("a name");
    let readings = journal::Readings::default();
    Event::EffectIntended { step, attempt: 1, number, effect, readings }
}

fn micros(time: Duration) -> String {
    format!("{:.2} µs", time.as_secs_f64() * 1e6)
}

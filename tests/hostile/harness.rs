//! Runs the table: the arguments of a test program, one line per case, the exit code.
//!
//! Understands what `cargo test` and nextest say to a test program (`--list`, `--exact`, `--skip`,
//! a part of a name) and nothing more. One case after the other: what a case leaves behind is
//! measured over the whole process.

use crate::stage::{Normal, Stage};
use crate::table::{self, Case};
use crate::{epilogue, layers};
use effects::Layer;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than any case takes, epilogue included, on a busy machine.
const CASE_TIME_MAX: Duration = Duration::from_secs(30);

/// The name of the test about the table itself.
const COMPLETE: &str = "the_table_is_complete";

/// What a person or a runner asked for.
#[derive(Default)]
struct Asked {
    list: bool,
    ignored: bool,
    exact: bool,
    filters: Vec<String>,
    skip: Vec<String>,
}

/// Counts for the last line.
#[derive(Default)]
struct Tally {
    passed: usize,
    not_here: usize,
    failed: Vec<String>,
}

/// How the allocator is to give memory back: at once. What a case leaves behind could not be told
/// from what the allocator keeps for later. It reads these when a process starts.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

pub(crate) fn main() -> ExitCode {
    let asked = asked();
    let cases = table::all();
    if asked.list {
        list(&asked, &cases);
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(ALLOCATOR[0].0).is_none() {
        return again_with_its_allocator();
    }
    quiet_panics();
    crate::record::listen();
    if let Some(layer) = layers::taken_away() {
        return without(layer, &cases);
    }
    let began = Instant::now();
    let mut tally = Tally::default();
    let wanted: Vec<&Case> =
        cases.iter().filter(|case| asked.wants(&case.name(), case.number)).collect();
    if !wanted.is_empty() {
        let normal = Normal::measure();
        for case in &wanted {
            tell(case, &mut tally, &normal);
        }
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "\n{} cases: {} passed, {} not here, {} failed, in {seconds:.1} s",
            wanted.len(),
            tally.passed,
            tally.not_here,
            tally.failed.len()
        );
    }
    whole_table(&asked, &cases, &mut tally);
    layers::try_all(&cases, |name| asked.wants(name, name), &mut tally.failed);
    if tally.failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {}", tally.failed.join(", "));
    ExitCode::FAILURE
}

/// The same program in a process with the right settings.
fn again_with_its_allocator() -> ExitCode {
    let program = std::env::current_exe().expect("know this test's path");
    let mut command = std::process::Command::new(program);
    let ended = command.args(std::env::args_os().skip(1)).envs(ALLOCATOR).status();
    match ended.map(|status| status.code()) {
        Ok(Some(0)) => ExitCode::SUCCESS,
        how => {
            println!("ended with {how:?}");
            ExitCode::FAILURE
        }
    }
}

/// The names of all tests, as runners want them.
fn list(asked: &Asked, cases: &[Case]) {
    if asked.ignored {
        return;
    }
    let cases_named = cases.iter().map(Case::name);
    let layers = layers::tests();
    for name in cases_named.chain([COMPLETE.to_owned()]).chain(layers) {
        if asked.wants(&name, &name) {
            println!("{name}: test");
        }
    }
}

/// How often a case that leaves memory is repeated: a leak leaves some each time.
const REPEATS_MAX: usize = 5;

/// Runs one case and says how it went.
fn tell(case: &Case, tally: &mut Tally, normal: &Normal) {
    let began = Instant::now();
    let result = run(case, normal);
    let took = began.elapsed().as_millis();
    let (number, title) = (case.number, case.title);
    match (&result, case.not_here) {
        (Ok(shown), None) => {
            tally.passed += 1;
            println!("{number:<4} {title:<78} ok   {shown} ({took} ms)");
        }
        (Ok(shown), Some(reason)) => {
            tally.not_here += 1;
            println!("{number:<4} {title:<78} not here: {reason}; {shown}");
        }
        (Err(why), _) => {
            tally.failed.push(number.to_owned());
            let why = masked(why).replace('\n', "\n     ");
            println!("{number:<4} {title:<78} FAILED\n     {why}");
        }
    }
}

/// Runs one case with everything that must hold after it.
fn run(case: &Case, normal: &Normal) -> Result<String, String> {
    let (tell, told) = mpsc::channel();
    let (attack, normal) = (case.run, normal.clone());
    let thread = std::thread::Builder::new().name("case".to_owned()).spawn(move || {
        let tried = panic::catch_unwind(AssertUnwindSafe(|| {
            let once = || {
                let before = epilogue::Before::look();
                let mut stage = Stage::new();
                let shown = attack(&mut stage);
                (epilogue::check(stage, &before, &normal), shown)
            };
            let (mut memory, shown) = once();
            // Each of the runtime's threads may fill a reserve of its own before one is used again.
            for _ in 0..REPEATS_MAX {
                if memory.is_ok() {
                    break;
                }
                memory = once().0;
            }
            let left = memory.err().unwrap_or_default();
            assert_eq!(left, 0, "bytes of memory are left each time");
            shown
        }));
        // Whoever gave up waiting does not listen any more.
        let _ = tell.send(tried.map_err(|_panic| last_panic()));
    });
    thread.map_err(|error| error.to_string())?;
    match told.recv_timeout(CASE_TIME_MAX) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(format!("no end after {CASE_TIME_MAX:?}")),
        Err(RecvTimeoutError::Disconnected) => Err("the case ended without a word".to_owned()),
    }
}

/// The cases of one layer, with that layer taken away: they are expected to fail, and the first
/// that does is the end.
fn without(layer: Layer, cases: &[Case]) -> ExitCode {
    let own = cases.iter().filter(|case| case.layers.contains(&layer));
    let normal = Normal::measure();
    layer.take_away();
    for case in own {
        if let Err(why) = run(case, &normal) {
            let why = why.lines().next().unwrap_or_default().to_owned();
            println!("{} fails: {}", case.number, masked(&why));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// What is printed is searched for credentials, too: one that did get out is told without being
/// shown.
fn masked(text: &str) -> String {
    let mut parts = text.split("CANARY");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.char_indices().nth(60).map_or("", |(at, _)| &part[at..]);
        shown.push_str("(a credential)");
        shown.push_str(rest);
    }
    shown
}

/// Each number is there exactly once.
fn whole_table(asked: &Asked, cases: &[Case], tally: &mut Tally) {
    if !asked.wants(COMPLETE, COMPLETE) {
        return;
    }
    let (missing, surplus) = (table::missing(cases), table::surplus(cases));
    let count = table::numbers().len();
    if surplus.is_empty() && missing.is_empty() {
        println!("all {count} numbers of the table are there");
        return;
    }
    println!("of {count} numbers missing: {missing:?}, surplus: {surplus:?}");
    tally.failed.push(COMPLETE.to_owned());
}

fn asked() -> Asked {
    let mut asked = Asked::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => asked.list = true,
            "--ignored" => asked.ignored = true,
            "--exact" => asked.exact = true,
            "--skip" => asked.skip.extend(arguments.next()),
            // Their values mean nothing here.
            "--format" | "--test-threads" | "--color" | "-Z" | "--logfile" => {
                let _ = arguments.next();
            }
            other if other.starts_with('-') => {}
            filter => asked.filters.push(filter.to_owned()),
        }
    }
    asked
}

impl Asked {
    /// Whether the test of this name and number is wanted.
    fn wants(&self, name: &str, number: &str) -> bool {
        let fits = |filter: &String| {
            if self.exact {
                return name == filter || number == filter;
            }
            match filter.as_bytes() {
                // `C1` is one case and not also `C10`; `C` are all of its letter.
                [b'A'..=b'H', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
                    number == filter || digits.is_empty() && number.starts_with(filter.as_str())
                }
                _ => name.contains(filter.as_str()),
            }
        };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skip.iter().any(fits)
    }
}

/// What was said by the last panic, with its place.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps what panics say instead of printing it: a failed case tells it in its own line.
fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        let said = info.payload_as_str().unwrap_or("a panic without words");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let mut last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        *last = format!("{said} ({place})");
    }));
}

fn last_panic() -> String {
    LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

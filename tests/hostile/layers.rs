//! The proof that the suite can fail: each layer is taken away in a process of its own, in which
//! the cases that name the layer are run again, and one of them must fail.
//!
//! A hang or a crash counts as failing: without the layer nothing else is to be expected.

use crate::table::Case;
use effects::Layer;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Tells the process which layer to take away.
const VARIABLE: &str = "BOWLINE_TEST_WITHOUT";

/// How long the cases of one layer may take before they count as hanging.
const TIME_MAX: Duration = Duration::from_secs(25);

/// Layers that may be without a case, each with its reason.
const WITHOUT_CASE: &[(Layer, &str)] = &[
    // No attack: what they hold up is a crash, and a person who only wanted to look.
    (Layer::Replay, "tests/sweep, without_the_replay_the_same_sweep_fails"),
    (Layer::Plan, "tests/sweep, without_its_layer_a_plan_writes"),
];

/// The layer that this process is to do without.
pub(crate) fn taken_away() -> Option<Layer> {
    let wanted = std::env::var_os(VARIABLE)?;
    Layer::ALL.into_iter().find(|layer| name(*layer).as_str() == wanted)
}

/// The names of the tests, one for each layer.
pub(crate) fn tests() -> impl Iterator<Item = String> {
    Layer::ALL.into_iter().map(test)
}

fn test(layer: Layer) -> String {
    format!("layer_{}", name(layer))
}

fn name(layer: Layer) -> String {
    format!("{layer:?}").to_lowercase()
}

/// Tries every layer whose test is wanted, and adds those whose absence nobody noticed.
pub(crate) fn try_all(cases: &[Case], wanted: impl Fn(&str) -> bool, failed: &mut Vec<String>) {
    for layer in Layer::ALL {
        let test = test(layer);
        if !wanted(&test) {
            continue;
        }
        match try_one(layer, cases) {
            Ok(how) => println!("{test:<24} ok   {how}"),
            Err(why) => {
                println!("{test:<24} FAILED {why}");
                failed.push(test);
            }
        }
    }
}

fn try_one(layer: Layer, cases: &[Case]) -> Result<String, String> {
    let named = cases.iter().any(|case| case.layers.contains(&layer));
    let excused = WITHOUT_CASE.iter().find(|(excused, _)| *excused == layer);
    match (named, excused) {
        (false, Some((_, reason))) => return Ok(format!("no case: {reason}")),
        (false, None) => return Err("no case needs this layer".to_owned()),
        (true, _) => {}
    }
    let began = Instant::now();
    let how = run_without(layer)?;
    // The search itself must have found something, in what is written when nobody takes it out.
    if layer == Layer::Redact && !how.contains("a credential") {
        return Err(format!("no credential was found without the redactor: {how}"));
    }
    Ok(format!("{how} ({} ms)", began.elapsed().as_millis()))
}

/// How the cases of `layer` end in a process without it.
fn run_without(layer: Layer) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .env(VARIABLE, name(layer))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let began = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if began.elapsed() > TIME_MAX => {
                // A process of ours that hangs, as it does without its defence.
                let _ = child.kill();
                let _ = child.wait();
                return Ok("the cases hang".to_owned());
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        let _ = out.read_to_string(&mut said);
    }
    match status.code() {
        Some(0) => Err("all its cases pass without it".to_owned()),
        Some(_) if !said.trim().is_empty() => Ok(said.trim().chars().take(160).collect()),
        _ => Ok(format!("the host dies: {status}")),
    }
}

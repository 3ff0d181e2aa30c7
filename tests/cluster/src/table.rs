//! The results, as a table for people.

use crate::judge::{Judged, Verdict};
use crate::scenario::Scenario;
use std::fmt::Write as _;

/// A row per scenario, then what went wrong in the failed ones, then the sum.
pub(crate) fn table(rows: &[(&Scenario, Judged)]) -> String {
    let width = |len: fn(&Scenario) -> usize, least: usize| {
        rows.iter().map(|(scenario, _)| len(scenario)).max().unwrap_or_default().max(least)
    };
    let names = width(|scenario| scenario.name.len(), 8);
    let cases = width(|scenario| scenario.cases.join(" ").len(), 5);
    let mut text = format!(
        "{:names$}  {:cases$}  kubectl  ours  objects  message  verdict\n",
        "scenario", "cases"
    );
    for (scenario, judged) in rows {
        let _ = writeln!(
            text,
            "{:names$}  {:cases$}  {:>7}  {:>4}  {:7}  {:7}  {}",
            scenario.name,
            scenario.cases.join(" "),
            code(judged.kubectl),
            code(judged.ours),
            equal(judged.objects_equal),
            equal(judged.message_equal),
            verdict(scenario, judged),
        );
    }
    for (scenario, judged) in rows.iter().filter(|(_, judged)| judged.verdict == Verdict::Failed) {
        let _ =
            writeln!(text, "\n{}: kubectl {}", scenario.name, scenario.kubectl.list().join(" "));
        for fault in &judged.faults {
            let _ = writeln!(text, "  {fault}");
        }
    }
    let count = |verdict| rows.iter().filter(|(_, judged)| judged.verdict == verdict).count();
    let _ = writeln!(
        text,
        "\n{} equal, {} deliberate, {} failed",
        count(Verdict::Equal),
        count(Verdict::Deliberate),
        count(Verdict::Failed)
    );
    text
}

fn code(code: Option<i32>) -> String {
    code.map_or_else(|| "-".to_owned(), |code| code.to_string())
}

fn equal(equal: bool) -> &'static str {
    if equal { "equal" } else { "differ" }
}

fn verdict(scenario: &Scenario, judged: &Judged) -> String {
    match (judged.verdict, &scenario.differs) {
        (Verdict::Equal, _) => "equal".to_owned(),
        (Verdict::Failed, _) => "FAILED".to_owned(),
        (Verdict::Deliberate, difference) => {
            let because = difference.as_ref().map_or("", |one| one.because.as_str());
            format!("deliberate: {because}")
        }
    }
}

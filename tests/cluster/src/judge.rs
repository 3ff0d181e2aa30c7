//! Judges a played scenario: equal, different on purpose, or failed.
//!
//! Pure. A difference that is announced but not there is as wrong as one that is there but not
//! announced.

use crate::lines;
use crate::scenario::{Aspect, Difference, Lines, Reason, Scenario};
use crate::world::{Picture, difference};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How many differing fields a failure shows.
const FIELDS_SHOWN: usize = 6;

/// What one side said, masked.
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
    pub(crate) outputs: Map<String, Value>,
}

/// All that can be seen of a played scenario.
pub(crate) struct Played {
    pub(crate) kubectl: Told,
    pub(crate) step: Told,
    /// The objects where kubectl acted, after it.
    pub(crate) theirs: Picture,
    /// The objects where the step acted, after it.
    pub(crate) ours: Picture,
    /// The objects where the step acted, before it.
    pub(crate) before: Picture,
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Equal,
    Deliberate,
    Failed,
}

/// A row of the table.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) kubectl: Option<i32>,
    pub(crate) ours: Option<i32>,
    pub(crate) objects_equal: bool,
    pub(crate) message_equal: bool,
    /// Why it failed, one line each.
    pub(crate) faults: Vec<String>,
}

impl Judged {
    /// For a scenario that could not be played to its end.
    pub(crate) fn not_played(fault: &str) -> Self {
        Self {
            verdict: Verdict::Failed,
            kubectl: None,
            ours: None,
            objects_equal: false,
            message_equal: false,
            faults: vec![format!("could not be played: {fault}")],
        }
    }
}

/// Judges.
pub(crate) fn judge(scenario: &Scenario, played: &Played) -> Judged {
    let missing = match scenario.lines {
        Lines::None => Vec::new(),
        lines => lines::missing(&played.kubectl.text, &played.step.text, lines == Lines::Last),
    };
    let mut seen = BTreeSet::new();
    if (played.kubectl.code == Some(0)) != (played.step.code == Some(0)) {
        seen.insert(Aspect::Exit);
    }
    if played.theirs != played.ours {
        seen.insert(Aspect::Objects);
    }
    if !missing.is_empty() {
        seen.insert(Aspect::Message);
    }
    let mut faults = unannounced(scenario, played, &seen, &missing);
    for (name, told) in [("kubectl", &played.kubectl), ("bowline", &played.step)] {
        if told.code.is_none() {
            faults.push(format!("{name} did not end in time"));
        }
    }
    faults.extend(wrong_outputs(scenario, &played.step.outputs));
    let unsaid = scenario.also_says.iter().filter(|part| !played.step.text.contains(part.as_str()));
    faults.extend(unsaid.map(|part| format!("we do not say `{part}`")));
    let outputs = Value::Object(played.step.outputs.clone()).to_string();
    for part in &scenario.never_says {
        if played.step.text.contains(part.as_str()) || outputs.contains(part.as_str()) {
            faults.push(format!("we say `{part}`"));
        }
    }
    if let Some(announced) = &scenario.differs {
        faults.extend(broken_promises(announced, played));
    }
    let verdict = match (&scenario.differs, faults.is_empty()) {
        (_, false) => Verdict::Failed,
        (Some(_), true) if !seen.is_empty() => Verdict::Deliberate,
        (_, true) => Verdict::Equal,
    };
    if verdict == Verdict::Failed {
        faults.push(format!("kubectl said: {}", quoted(&played.kubectl.text)));
        faults.push(format!("we said:      {}", quoted(&played.step.text)));
    }
    Judged {
        verdict,
        kubectl: played.kubectl.code,
        ours: played.step.code,
        objects_equal: !seen.contains(&Aspect::Objects),
        message_equal: !seen.contains(&Aspect::Message),
        faults,
    }
}

/// What differs though nobody announced it, and the other way round.
fn unannounced(
    scenario: &Scenario,
    played: &Played,
    seen: &BTreeSet<Aspect>,
    missing: &[String],
) -> Vec<String> {
    let none = BTreeSet::new();
    let announced = scenario.differs.as_ref().map_or(&none, |difference| &difference.aspects);
    let mut faults = Vec::new();
    for aspect in seen.difference(announced) {
        match aspect {
            Aspect::Exit => faults.push("one succeeds and the other does not".to_owned()),
            Aspect::Objects => {
                faults.extend(difference(&played.theirs, &played.ours, FIELDS_SHOWN))
            }
            Aspect::Message => {
                faults.extend(missing.iter().map(|line| format!("we do not say `{line}`")));
            }
        }
    }
    let decided = scenario.differs.as_ref().is_some_and(|one| one.reason == Reason::Decision);
    if decided {
        let stale = announced.difference(seen);
        faults
            .extend(stale.map(|aspect| format!("{aspect:?} is announced to differ, and does not")));
    }
    faults
}

/// Where we do not do what the announced difference says that we do instead.
fn broken_promises(announced: &Difference, played: &Played) -> Vec<String> {
    let mut faults = Vec::new();
    if announced.exit.is_some_and(|code| played.step.code != Some(code)) {
        faults.push(format!("our exit is {:?}, not {:?}", played.step.code, announced.exit));
    }
    for part in &announced.says {
        if !played.step.text.contains(part.as_str()) {
            faults.push(format!("we do not say `{part}`, as announced"));
        }
    }
    if announced.unchanged && played.before != played.ours {
        let lines = difference(&played.before, &played.ours, FIELDS_SHOWN);
        faults.extend(lines.iter().map(|line| format!("not unchanged (before, after): {line}")));
    }
    for (name, fields) in &announced.objects {
        let nothing = Value::Null;
        let object = played.ours.get(name).unwrap_or(&nothing);
        for (pointer, expected) in fields {
            let found = object.pointer(pointer).unwrap_or(&nothing);
            if found != expected {
                faults.push(format!("{name}{pointer} is {found}, not {expected}, as announced"));
            }
        }
    }
    faults
}

fn wrong_outputs(scenario: &Scenario, outputs: &Map<String, Value>) -> Vec<String> {
    let outputs = Value::Object(outputs.clone());
    let mut faults = Vec::new();
    for (path, expected) in &scenario.outputs {
        let pointer = format!("/{}", path.replace('.', "/"));
        let found = outputs.pointer(&pointer).unwrap_or(&Value::Null);
        if found != expected {
            faults.push(format!("the output `{path}` is {found}, not {expected}"));
        }
    }
    faults
}

fn quoted(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ⏎ ")
}

impl Difference {
    pub(crate) fn touches_objects(&self) -> bool {
        self.aspects.contains(&Aspect::Objects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scenario(text: &str) -> Scenario {
        let scenarios: Vec<Scenario> = serde_saphyr::from_str(text).unwrap();
        scenarios.into_iter().next().unwrap()
    }

    fn played(kubectl: (i32, &str, i64), step: (i32, &str, i64)) -> Played {
        let told = |(code, text, _): (i32, &str, i64)| Told {
            code: Some(code),
            text: text.to_owned(),
            outputs: Map::new(),
        };
        let picture = |replicas: i64| {
            Picture::from([("deployments/web".to_owned(), json!({"replicas": replicas}))])
        };
        Played {
            kubectl: told(kubectl),
            step: told(step),
            theirs: picture(kubectl.2),
            ours: picture(step.2),
            before: picture(1),
        }
    }

    const PLAIN: &str = "- {name: a, kubectl: x}";
    const DECIDED: &str = "- {name: a, kubectl: x, differs: {reason: decision, in: [exit, objects], because: b, exit: 1, says: [no], unchanged: true}}";
    const NEWER: &str = "- {name: a, kubectl: x, differs: {reason: version, in: [message], because: b, says: [new]}}";
    const OUTPUT: &str = "- {name: a, kubectl: x, outputs: {done.really: true}}";

    #[test]
    fn each_kind_of_difference_is_seen_and_each_announcement_is_held_to() {
        use Verdict::{Deliberate, Equal, Failed};
        let cases = [
            (PLAIN, (0, "done", 2), (0, "done", 2), Equal, ""),
            (PLAIN, (1, "error: no", 1), (2, "no; do this", 1), Equal, ""),
            (PLAIN, (0, "done", 2), (1, "done", 2), Failed, "succeeds"),
            (PLAIN, (0, "done", 2), (0, "done", 3), Failed, "kubectl 2, ours 3"),
            (PLAIN, (0, "done", 2), (0, "did", 2), Failed, "`done`"),
            (DECIDED, (0, "", 2), (1, "no", 1), Deliberate, ""),
            (DECIDED, (0, "", 2), (2, "no", 1), Failed, "exit"),
            (DECIDED, (0, "", 2), (1, "nay", 1), Failed, "`no`"),
            (DECIDED, (0, "", 2), (1, "no", 3), Failed, "unchanged"),
            (DECIDED, (0, "", 1), (1, "no", 1), Failed, "announced to differ"),
            (NEWER, (0, "old", 2), (0, "new", 2), Deliberate, ""),
            (NEWER, (0, "new", 2), (0, "new", 2), Equal, ""),
            (NEWER, (0, "old", 2), (0, "odd", 2), Failed, "`new`"),
            (OUTPUT, (0, "", 2), (0, "", 2), Failed, "done.really"),
        ];
        for (text, kubectl, step, verdict, fault) in cases {
            let judged = judge(&scenario(text), &played(kubectl, step));
            assert_eq!(judged.verdict, verdict, "{text} {kubectl:?} {step:?}: {:?}", judged.faults);
            assert!(judged.faults.concat().contains(fault), "{fault}: {:?}", judged.faults);
        }
    }

    #[test]
    fn an_endless_command_is_a_failure() {
        let mut played = played((1, "", 1), (1, "", 1));
        played.step.code = None;
        assert_eq!(judge(&scenario(PLAIN), &played).verdict, Verdict::Failed);
    }
}

//! Graphs for the tests of all forms, and what holds for all of them.

use super::{dot, mermaid, svg, text};
use crate::Look;
use std::time::{Duration, Instant};
use workflow::{
    CheckOptions, Graph, GraphEdge, GraphStep, Signatures, SourceFile, StepKind, StepName, Why,
    check,
};

fn name(text: &str) -> StepName {
    text.parse().expect("a name")
}

fn edge(from: &str, to: &str, why: Why) -> GraphEdge {
    GraphEdge { from: name(from), to: name(to), why }
}

fn step(text: &str, image: Option<&str>) -> GraphStep {
    GraphStep {
        name: name(text),
        kind: StepKind::Container,
        image: image.map(str::to_owned),
        conditional: false,
    }
}

/// A step a line: its name, and after a colon what it waits for: `a`, `a/output`, `a/output=x`,
/// `a/status` or `a/answer`. A `?` after its name makes it conditional, a `!` an approval.
pub(super) fn graph(text: &str) -> Graph {
    let mut graph = Graph { steps: Vec::new(), edges: Vec::new() };
    for line in text.lines() {
        let (head, waits) = line.split_once(": ").unwrap_or((line, ""));
        let own = head.trim_end_matches(['?', '!']);
        let image = format!("relaysh/{own}");
        let approval = head.contains('!');
        graph.steps.push(GraphStep {
            kind: if approval { StepKind::Approval } else { StepKind::Container },
            conditional: head.contains('?'),
            ..step(own, (!approval).then_some(image.as_str()))
        });
        graph.edges.extend(waits.split_whitespace().map(|wait| {
            let (from, why) = wait.split_once('/').unwrap_or((wait, ""));
            let why = match why.split_once('=').unwrap_or((why, "")) {
                ("", _) => Why::DependsOn,
                ("output", "") => Why::Output { name: None },
                ("output", name) => Why::Output { name: Some(name.to_owned()) },
                ("status", _) => Why::Status,
                ("answer", _) => Why::Answer,
                _ => panic!("no reason: {wait}"),
            };
            edge(from, own, why)
        }));
    }
    graph
}

/// Four steps: two of them between the first and the last, of which one is asked about, and one
/// has a condition.
pub(super) fn diamond() -> Graph {
    graph(
        "build\nscan?: build\nagree!: build\nship: scan/status agree agree/answer build/output=tag",
    )
}

/// Roll back and look up an incident at the same time, then write to its timeline.
pub(super) fn runbook() -> Graph {
    let incident = Why::Output { name: Some("incident_id".to_owned()) };
    Graph {
        steps: vec![
            step("kubectl-deployment-rollback", Some("relaysh/kubernetes-step-kubectl")),
            step("convert-incident-id", Some("relaysh/datadog-step-incident-extract-id")),
            step("update-timeline", Some("relaysh/datadog-step-incident-timeline-update")),
        ],
        edges: vec![
            edge("kubectl-deployment-rollback", "update-timeline", Why::DependsOn),
            edge("convert-incident-id", "update-timeline", incident),
        ],
    }
}

/// The text that [`runbook`] comes from.
const RUNBOOK: &str = "\
steps:
- name: kubectl-deployment-rollback
  image: relaysh/kubernetes-step-kubectl
  spec: {command: rollout, args: undo deployment.apps/web}
- name: convert-incident-id
  image: relaysh/datadog-step-incident-extract-id
  spec: {public_id: '3'}
- name: update-timeline
  image: relaysh/datadog-step-incident-timeline-update
  dependsOn: kubectl-deployment-rollback
  spec: {incident_id: !Output {from: convert-incident-id, name: incident_id}}
";

/// One step whose name, image and reason are `text`, and the step that waits for it.
pub(super) fn hostile(text: &str) -> Graph {
    let why = Why::Output { name: Some(text.to_owned()) };
    Graph {
        steps: vec![step(text, Some(text)), step("next", None)],
        edges: vec![edge(text, "next", why)],
    }
}

/// Step names, all allowed, that try to be more than a name.
pub(super) const HOSTILE: &[&str] = &[
    "\"] --> x; click s0 \"javascript:alert(1)\"",
    "`**bold**` # $$x$$ %%{init: {}}%%",
    "<script>alert('1')</script>&lt;&#60;]]>",
    "a\\\" b\\",
    "{{x}} [[y]] ((z)) |w| :::c; end",
    "\u{202e}txt.exe\u{2066}\u{200b}\u{feff}",
    "\u{ffff}\u{fffe} größe 日本語 😀",
    "ﬂ°°60¶ßimg src=x¶ß",
    "    - 1. # list_ _of_ things fa:fa-ban",
    "   ",
];

type Form = (&'static str, fn(&str, &Graph) -> String);

const FORMS: [Form; 4] = [
    ("text", |name, graph| text(name, graph, &Look::PLAIN)),
    ("mermaid", mermaid),
    ("dot", dot),
    ("svg", svg),
];

fn big() -> Vec<(&'static str, Graph)> {
    let step = |n: usize| format!("s{n}");
    let each = |waits: &dyn Fn(usize) -> String| {
        let lines = (0..2_000).map(|n| format!("{}: {}\n", step(n), waits(n)));
        graph(&lines.collect::<String>())
    };
    let earlier = |n: usize| (1..=n.min(10)).map(|back| step(n - back) + "/output=x ").collect();
    vec![
        ("chain", each(&|n| if n == 0 { String::new() } else { step(n - 1) })),
        ("fan-out", each(&|n| if n == 0 { String::new() } else { step(0) })),
        (
            "fan-in",
            each(&|n| {
                if n < 1_999 { String::new() } else { (0..n).map(|n| step(n) + " ").collect() }
            }),
        ),
        ("ladder", each(&earlier)),
        (
            "report",
            each(&|n| match n {
                0 => String::new(),
                1_999 => (0..n).map(|n| step(n) + "/status ").collect(),
                n => step(n - 1),
            }),
        ),
        (
            "ranks",
            each(&|n| {
                let above = |k: usize| step((n / 40 - 1) * 40 + (n * 7 + k * 13) % 40);
                if n < 40 {
                    String::new()
                } else {
                    format!("{} {} {}", above(0), above(1), above(2))
                }
            }),
        ),
    ]
}

#[test]
fn the_runbook_is_what_its_text_says() {
    let source = SourceFile::new("rollback.yaml", RUNBOOK);
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };

    let checked = check(&source, &Signatures::default(), &options);

    let workflow = checked.workflow.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    assert_eq!(workflow.graph(), runbook());
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    for graph in [diamond(), runbook(), hostile(HOSTILE[0]), graph("")] {
        for (form, draw) in FORMS {
            assert_eq!(draw("w", &graph), draw("w", &graph.clone()), "{form}");
        }
    }
}

#[test]
fn nothing_that_steers_reaches_the_output() {
    for hostile_name in HOSTILE.iter().copied().chain(["\u{1b}[2J\r\n\u{9b}31m\0"]) {
        // A step can't have control characters in its name, but an output or a workflow can.
        let text = if hostile_name.chars().any(char::is_control) { "a" } else { hostile_name };
        let mut graph = hostile(text);
        graph.edges[0].why = Why::Output { name: Some(hostile_name.to_owned()) };
        graph.steps[0].image = Some(hostile_name.to_owned());
        for (form, draw) in FORMS {
            let drawn = draw(hostile_name, &graph);
            let bad = |c: char| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            };
            assert!(!drawn.chars().any(bad), "{form}: {drawn:?}");
        }
    }
}

#[test]
fn two_thousand_steps_are_drawn_in_little_time_and_space() {
    for (shape, graph) in big() {
        for (form, draw) in FORMS {
            let start = Instant::now();
            // Far less than the main thread has: no depth of a graph may need a deep stack.
            let drawn = std::thread::scope(|scope| {
                let drawing = || draw("big", &graph);
                let thread = std::thread::Builder::new().stack_size(128 * 1024);
                thread.spawn_scoped(scope, drawing).expect("a thread").join().expect("no overflow")
            });
            let took = start.elapsed();
            let lines = graph.steps.len() + graph.edges.len();
            assert!(drawn.len() < 2_000 * lines, "{form} of {shape}: {} bytes", drawn.len());
            assert!(took < Duration::from_secs(20), "{form} of {shape}: {took:?}");
        }
    }
}

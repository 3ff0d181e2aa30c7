//! Draws the steps of a workflow and what makes them wait: for a terminal, as Mermaid, for
//! Graphviz, and as a picture.
//!
//! Pure functions: the same graph gives the same bytes. Nothing of a run is shown here, and the
//! picture needs no program from outside. Every name passes through [`escape`] first.

mod dot;
mod layout;
mod mermaid;
mod svg;
mod text;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;
pub use text::text;

use crate::escape;
use crate::look::{Look, PLAIN, Row};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use workflow::{Graph, GraphStep, StepKind, Why};

#[cfg(test)]
mod examples;

/// What stands for a workflow without steps.
const EMPTY: &str = "no steps";
/// What marks a step with a condition of its own.
const CONDITION: &str = "if its condition holds";
/// What marks a step that a person decides.
const APPROVAL: &str = "a person says yes or no";

/// A graph by numbers, ready to be drawn: each pair of steps has one arrow at most, and each
/// arrow leads from a lower level to a higher one.
struct Drawing<'a> {
    /// In the order of the file.
    steps: &'a [GraphStep],
    /// In the order in which the graph names each pair first.
    arrows: Vec<Arrow<'a>>,
    /// For each step the length of the longest way to it; 0 if it waits for nothing.
    levels: Vec<usize>,
}

/// All the reasons that one step has to wait for another.
struct Arrow<'a> {
    from: usize,
    to: usize,
    /// Sorted, each once, at least one.
    reasons: Vec<&'a Why>,
}

/// How the line of an arrow looks. The strongest reason decides: what must have succeeded is
/// stronger than what must only have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stroke {
    Solid,
    Dotted,
    Dashed,
    DashDotted,
}

impl<'a> Drawing<'a> {
    /// A checked workflow has neither circles nor names of no step; in other graphs an edge that
    /// closes a circle or leads nowhere is left out.
    fn new(graph: &'a Graph) -> Self {
        let mut arrows = arrows(graph);
        let levels = levels(graph.steps.len(), &arrows);
        arrows.retain(|arrow| levels[arrow.from] < levels[arrow.to]);
        Self { steps: &graph.steps, arrows, levels }
    }

    /// The steps of each level, in the order of the file.
    fn by_level(&self) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.levels.iter().max().map_or(0, |last| last + 1)];
        for (step, &level) in self.levels.iter().enumerate() {
            rows[level].push(step);
        }
        rows
    }

    /// A step's name, safe to show.
    fn name(&self, step: usize) -> Cow<'a, str> {
        escape::plain(self.steps[step].name.as_str())
    }

    /// Everything that an arrow says.
    fn sentence(&self, arrow: &Arrow<'_>) -> String {
        let (from, to) = (self.name(arrow.from), self.name(arrow.to));
        format!("{to} waits for {from}: {}", arrow.reasons())
    }
}

impl Arrow<'_> {
    fn stroke(&self) -> Stroke {
        self.reasons.iter().map(|why| Stroke::of(why)).min().unwrap_or(Stroke::Solid)
    }

    /// The reasons for the side of a line; nothing where a solid line says it all.
    fn label(&self) -> Option<String> {
        if matches!(self.reasons[..], [Why::DependsOn]) {
            return None;
        }
        Some(self.join(|why| match why {
            Why::Output { name: Some(name) } => escape::plain(name),
            _ => words(why),
        }))
    }

    /// The reasons where there is room for words.
    fn reasons(&self) -> String {
        self.join(words)
    }

    fn join<'b>(&'b self, say: impl Fn(&'b Why) -> Cow<'b, str>) -> String {
        self.reasons.iter().map(|why| say(why)).collect::<Vec<_>>().join(", ")
    }
}

impl Stroke {
    const ALL: [Self; 4] = [Self::Solid, Self::Dotted, Self::Dashed, Self::DashDotted];

    fn of(why: &Why) -> Self {
        match why {
            Why::DependsOn => Self::Solid,
            Why::Output { .. } => Self::Dotted,
            Why::Status => Self::Dashed,
            Why::Answer => Self::DashDotted,
        }
    }

    /// Lengths of dash and gap, in pixels; empty for a line without gaps.
    fn dashes(self) -> &'static str {
        match self {
            Self::Solid => "",
            Self::Dotted => "2 4",
            Self::Dashed => "8 4",
            Self::DashDotted => "9 4 2 4",
        }
    }
}

fn words(why: &Why) -> Cow<'_, str> {
    match why {
        Why::DependsOn => Cow::Borrowed("dependsOn"),
        Why::Output { name: Some(name) } => Cow::Owned(format!("output {}", escape::plain(name))),
        Why::Output { name: None } => Cow::Borrowed("any output"),
        Why::Status => Cow::Borrowed("status"),
        Why::Answer => Cow::Borrowed("answer"),
    }
}

/// What a step is besides its name: its image or that a person decides, then its condition.
fn remarks(step: &GraphStep) -> Vec<Cow<'_, str>> {
    let mut remarks = Vec::new();
    match (step.kind, &step.image) {
        (StepKind::Approval, _) => remarks.push(Cow::Borrowed(APPROVAL)),
        (StepKind::Container, Some(image)) => remarks.push(escape::plain(image)),
        (StepKind::Container, None) => {}
    }
    if step.conditional {
        remarks.push(Cow::Borrowed(CONDITION));
    }
    remarks
}

/// `1 step`, `2 steps`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The beginning of `text` that fits into `columns`, with a sign if that is not all.
fn cut(text: &str, columns: usize) -> String {
    Row::new().add(PLAIN, text).draw(&Look { width: columns, ..Look::PLAIN })
}

fn arrows(graph: &Graph) -> Vec<Arrow<'_>> {
    let mut numbers = HashMap::with_capacity(graph.steps.len());
    for (number, step) in graph.steps.iter().enumerate() {
        numbers.entry(&step.name).or_insert(number);
    }
    let mut arrows: Vec<Arrow<'_>> = Vec::new();
    let mut places = HashMap::new();
    for edge in &graph.edges {
        let (Some(&from), Some(&to)) = (numbers.get(&edge.from), numbers.get(&edge.to)) else {
            continue;
        };
        let place = *places.entry((from, to)).or_insert(arrows.len());
        if place == arrows.len() {
            arrows.push(Arrow { from, to, reasons: Vec::new() });
        }
        arrows[place].reasons.push(&edge.why);
    }
    for arrow in &mut arrows {
        arrow.reasons.sort_unstable();
        arrow.reasons.dedup();
    }
    arrows
}

/// The level of each of `count` steps. Where all that are left wait for each other, the first
/// of them goes ahead.
fn levels(count: usize, arrows: &[Arrow<'_>]) -> Vec<usize> {
    let mut targets = vec![Vec::new(); count];
    let mut awaited = vec![0_usize; count];
    for arrow in arrows {
        targets[arrow.from].push(arrow.to);
        awaited[arrow.to] += 1;
    }
    let mut levels = vec![0; count];
    let mut taken = vec![false; count];
    let mut ready: VecDeque<usize> = (0..count).filter(|&step| awaited[step] == 0).collect();
    let mut rest = 0..count;
    while let Some(step) = ready.pop_front().or_else(|| rest.find(|&step| !taken[step])) {
        if std::mem::replace(&mut taken[step], true) {
            continue;
        }
        for &target in &targets[step] {
            awaited[target] -= 1;
            if taken[target] {
                continue;
            }
            levels[target] = levels[target].max(levels[step] + 1);
            if awaited[target] == 0 {
                ready.push_back(target);
            }
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::examples::graph;
    use super::*;

    #[test]
    fn the_longest_way_decides_the_level() {
        let cases: &[(&str, &[usize])] = &[
            ("", &[]),
            ("a", &[0]),
            ("a\nb", &[0, 0]),
            ("a\nb: a\nc: b\nd: a c", &[0, 1, 2, 3]),
            ("d: b c\nb: a\nc: a\na", &[2, 1, 1, 0]),
        ];
        for (text, expected) in cases {
            assert_eq!(Drawing::new(&graph(text)).levels, *expected, "{text}");
        }
    }

    #[test]
    fn all_reasons_of_a_pair_share_one_arrow() {
        let graph = graph("a\nb: a/answer a/status a/output=y a/output=x a/output a a a/output=x");

        let drawing = Drawing::new(&graph);

        let [arrow] = &drawing.arrows[..] else { panic!("one arrow") };
        assert_eq!((arrow.from, arrow.to, arrow.stroke()), (0, 1, Stroke::Solid));
        assert_eq!(arrow.reasons(), "dependsOn, any output, output x, output y, status, answer");
        assert_eq!(arrow.label().as_deref(), Some("dependsOn, any output, x, y, status, answer"));
    }

    #[test]
    fn the_strongest_reason_decides_the_line() {
        let cases = [
            ("a", Stroke::Solid, None),
            ("a/output=x", Stroke::Dotted, Some("x")),
            ("a/output", Stroke::Dotted, Some("any output")),
            ("a/status", Stroke::Dashed, Some("status")),
            ("a/answer", Stroke::DashDotted, Some("answer")),
            ("a/answer a/status", Stroke::Dashed, Some("status, answer")),
            ("a/status a/output=x", Stroke::Dotted, Some("x, status")),
            ("a/output=x a", Stroke::Solid, Some("dependsOn, x")),
        ];
        for (waits, stroke, label) in cases {
            let graph = graph(&format!("a\nb: {waits}"));
            let arrow = &Drawing::new(&graph).arrows[0];
            assert_eq!((arrow.stroke(), arrow.label().as_deref()), (stroke, label), "{waits}");
        }
    }

    #[test]
    fn a_graph_that_nobody_checked_is_drawn_without_what_can_not_be() {
        let cases: &[(&str, &[(usize, usize)])] = &[
            ("a: a", &[]),
            ("a: nobody", &[]),
            ("a: b\nb: a", &[(0, 1)]),
            ("a: c\nb: a\nc: b\nd: c", &[(0, 1), (1, 2), (2, 3)]),
            ("a\na: a\nb: a", &[(0, 2)]),
        ];
        for (text, expected) in cases {
            let graph = graph(text);
            let drawing = Drawing::new(&graph);
            let pairs: Vec<_> = drawing.arrows.iter().map(|a| (a.from, a.to)).collect();
            assert_eq!(pairs, *expected, "{text}");
        }
    }

    #[test]
    fn columns_are_what_a_reader_sees() {
        let cases =
            [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 4, "日…"), ("日本", 4, "日本")];
        for (text, columns, expected) in cases {
            assert_eq!(cut(text, columns), expected, "{text}");
        }
    }
}

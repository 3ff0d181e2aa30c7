//! A workflow's graph for Graphviz.
//!
//! Everything from outside stands in double quotes; what means more than itself there (quotes,
//! back-slashes, entities) is written out.

use super::{Arrow, Drawing, EMPTY, Stroke, remarks};
use crate::escape;
use workflow::{Graph, GraphStep, StepKind};

/// The graph, from the top down. Steps are called `s0`, `s1` … in the order of the file.
#[must_use]
pub fn dot(name: &str, graph: &Graph) -> String {
    let drawing = Drawing::new(graph);
    let mut text = String::from("digraph \"workflow\" {\n");
    let mut line = |line: String| {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    };
    line(format!("graph [\"rankdir\"=\"TB\", \"labelloc\"=\"t\", \"label\"={}];", quoted([name])));
    line("graph [\"charset\"=\"UTF-8\", \"fontname\"=\"sans-serif\"];".to_owned());
    line(
        "node [\"shape\"=\"box\", \"style\"=\"rounded\", \"fontname\"=\"sans-serif\"];".to_owned(),
    );
    line("edge [\"fontname\"=\"sans-serif\", \"fontsize\"=\"11\"];".to_owned());
    if drawing.steps.is_empty() {
        line(format!("\"empty\" [\"shape\"=\"plaintext\", \"label\"={}];", quoted([EMPTY])));
    }
    for (number, step) in drawing.steps.iter().enumerate() {
        line(format!("\"s{number}\" [{}];", node(step)));
    }
    for arrow in &drawing.arrows {
        line(format!("\"s{}\" -> \"s{}\" [{}];", arrow.from, arrow.to, edge(&drawing, arrow)));
    }
    text.push_str("}\n");
    text
}

fn node(step: &GraphStep) -> String {
    let remarks = remarks(step);
    let lines = std::iter::once(step.name.as_str()).chain(remarks.iter().map(|text| &**text));
    let mut text = format!("\"label\"={}", quoted(lines));
    match (step.kind, step.conditional) {
        (StepKind::Container, false) => {}
        (StepKind::Container, true) => text.push_str(", \"style\"=\"rounded,dashed\""),
        (StepKind::Approval, false) => {
            text.push_str(", \"shape\"=\"hexagon\", \"style\"=\"solid\"")
        }
        (StepKind::Approval, true) => {
            text.push_str(", \"shape\"=\"hexagon\", \"style\"=\"dashed\"")
        }
    }
    text
}

fn edge(drawing: &Drawing<'_>, arrow: &Arrow<'_>) -> String {
    let style = match arrow.stroke() {
        Stroke::Solid => "solid",
        Stroke::Dotted => "dotted",
        Stroke::Dashed => "dashed",
        // Graphviz has no line of dashes and dots.
        Stroke::DashDotted => "bold",
    };
    let mut text = format!("\"style\"=\"{style}\"");
    if let Some(label) = arrow.label() {
        text.push_str(", \"label\"=");
        text.push_str(&quoted([label.as_str()]));
    }
    text.push_str(", \"tooltip\"=");
    text.push_str(&quoted([drawing.sentence(arrow).as_str()]));
    text
}

/// `lines` as one text in double quotes.
fn quoted<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("\"");
    for (number, line) in lines.into_iter().enumerate() {
        if number > 0 {
            text.push_str("\\n");
        }
        for character in escape::plain(line).chars() {
            match character {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                other => text.push(other),
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::super::examples::{HOSTILE, diamond, graph, hostile, runbook};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_runbook() {
        expect![[r#"
            digraph "workflow" {
              graph ["rankdir"="TB", "labelloc"="t", "label"="rollback"];
              graph ["charset"="UTF-8", "fontname"="sans-serif"];
              node ["shape"="box", "style"="rounded", "fontname"="sans-serif"];
              edge ["fontname"="sans-serif", "fontsize"="11"];
              "s0" ["label"="kubectl-deployment-rollback\nrelaysh/kubernetes-step-kubectl"];
              "s1" ["label"="convert-incident-id\nrelaysh/datadog-step-incident-extract-id"];
              "s2" ["label"="update-timeline\nrelaysh/datadog-step-incident-timeline-update"];
              "s0" -> "s2" ["style"="solid", "tooltip"="update-timeline waits for kubectl-deployment-rollback: dependsOn"];
              "s1" -> "s2" ["style"="dotted", "label"="incident_id", "tooltip"="update-timeline waits for convert-incident-id: output incident_id"];
            }
        "#]].assert_eq(&dot("rollback", &runbook()));
    }

    #[test]
    fn a_diamond() {
        expect![[r#"
            digraph "workflow" {
              graph ["rankdir"="TB", "labelloc"="t", "label"="ship-it"];
              graph ["charset"="UTF-8", "fontname"="sans-serif"];
              node ["shape"="box", "style"="rounded", "fontname"="sans-serif"];
              edge ["fontname"="sans-serif", "fontsize"="11"];
              "s0" ["label"="build\nrelaysh/build"];
              "s1" ["label"="scan\nrelaysh/scan\nif its condition holds", "style"="rounded,dashed"];
              "s2" ["label"="agree\na person says yes or no", "shape"="hexagon", "style"="solid"];
              "s3" ["label"="ship\nrelaysh/ship"];
              "s0" -> "s1" ["style"="solid", "tooltip"="scan waits for build: dependsOn"];
              "s0" -> "s2" ["style"="solid", "tooltip"="agree waits for build: dependsOn"];
              "s1" -> "s3" ["style"="dashed", "label"="status", "tooltip"="ship waits for scan: status"];
              "s2" -> "s3" ["style"="solid", "label"="dependsOn, answer", "tooltip"="ship waits for agree: dependsOn, answer"];
              "s0" -> "s3" ["style"="dotted", "label"="tag", "tooltip"="ship waits for build: output tag"];
            }
        "#]].assert_eq(&dot("ship-it", &diamond()));
    }

    #[test]
    fn no_steps() {
        let text = dot("idle", &graph(""));
        assert!(text.contains("\"empty\" [\"shape\"=\"plaintext\", \"label\"=\"no steps\"];\n"));
    }

    #[test]
    fn texts() {
        let cases = [
            ("", r#""""#),
            ("größe 2", r#""größe 2""#),
            (r#"a"];"#, r#""a\"];""#),
            (r"a\", r#""a\\""#),
            (r"\N\n", r#""\\N\\n""#),
            ("&amp; <b>", r#""&amp;amp; &lt;b&gt;""#),
            ("a\nb\u{202e}", r#""a\\nb\\u{202e}""#),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted([text]), expected, "{text:?}");
        }
        assert_eq!(quoted(["a", "b"]), r#""a\nb""#);
    }

    #[test]
    fn no_name_breaks_out_of_its_quotes() {
        let usual = shape_of(&dot("name", &hostile("name")));
        for name in HOSTILE {
            let text = dot(name, &hostile(name));
            assert_eq!(shape_of(&text), usual, "{text}");
        }
    }

    /// The text outside of quotes.
    fn shape_of(text: &str) -> String {
        let (mut outside, mut quoted, mut characters) = (String::new(), false, text.chars());
        while let Some(character) = characters.next() {
            match character {
                '\\' if quoted => drop(characters.next()),
                '"' => quoted = !quoted,
                _ if quoted => {}
                other => outside.push(other),
            }
        }
        assert!(!quoted, "{text}");
        outside
    }
}

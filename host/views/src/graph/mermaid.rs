//! A workflow's graph as a Mermaid flow chart, for documents that draw one themselves.
//!
//! Mermaid knows several notations inside of a label (entities, Markdown, icons, formulas), so
//! nothing is left as it is but letters, digits, commas, and what joins two of them.

use super::{Arrow, Drawing, EMPTY, Stroke, remarks};
use crate::escape;
use std::fmt::Write;
use workflow::{Graph, GraphStep, StepKind};

/// The most arrows that Mermaid draws unless the page that shows it is set up for more.
const ARROWS_MAX: usize = 500;

/// The chart, from the top down. Steps are called `s0`, `s1` … in the order of the file.
#[must_use]
pub fn mermaid(name: &str, graph: &Graph) -> String {
    let drawing = Drawing::new(graph);
    let mut chart = format!("---\ntitle: {}\n---\nflowchart TD\n", title(name));
    if drawing.arrows.len() > ARROWS_MAX {
        let arrows = drawing.arrows.len();
        // Writing into a text can't fail, here and below.
        let _ = writeln!(
            chart,
            "    %% {arrows} arrows; `maxEdges` of the page must allow more than {ARROWS_MAX}"
        );
    }
    if drawing.steps.is_empty() {
        let _ = writeln!(chart, "    empty[\"{EMPTY}\"]");
    }
    for (number, step) in drawing.steps.iter().enumerate() {
        let _ = writeln!(chart, "    s{number}{}", shape(step));
    }
    for arrow in &drawing.arrows {
        let _ = writeln!(chart, "    s{} {} s{}", arrow.from, line(arrow), arrow.to);
    }
    styles(&drawing, &mut chart);
    chart
}

fn shape(step: &GraphStep) -> String {
    let mut text = label(step.name.as_str());
    for remark in remarks(step) {
        text.push_str("<br/>");
        text.push_str(&label(&remark));
    }
    let class = if step.conditional { ":::conditional" } else { "" };
    match step.kind {
        StepKind::Container => format!("[\"{text}\"]{class}"),
        StepKind::Approval => format!("{{{{\"{text}\"}}}}{class}"),
    }
}

fn line(arrow: &Arrow<'_>) -> String {
    let line = match arrow.stroke() {
        Stroke::Solid => "-->",
        Stroke::Dotted | Stroke::Dashed | Stroke::DashDotted => "-.->",
    };
    match arrow.label() {
        Some(text) => format!("{line}|\"{}\"|", label(&text)),
        None => line.to_owned(),
    }
}

/// How lines with gaps differ, which Mermaid has no arrows for.
fn styles(drawing: &Drawing<'_>, chart: &mut String) {
    if drawing.steps.iter().any(|step| step.conditional) {
        chart.push_str("    classDef conditional stroke-dasharray:5 4\n");
    }
    for stroke in Stroke::ALL.into_iter().filter(|&stroke| stroke != Stroke::Solid) {
        let arrows = drawing.arrows.iter().enumerate();
        let numbers = arrows.filter(|(_, arrow)| arrow.stroke() == stroke);
        let numbers: Vec<_> = numbers.map(|(number, _)| number.to_string()).collect();
        if !numbers.is_empty() {
            let (numbers, dashes) = (numbers.join(","), stroke.dashes());
            let _ = writeln!(chart, "    linkStyle {numbers} stroke-dasharray:{dashes}");
        }
    }
}

/// `text` between the quotes of a label, as Mermaid's numbered entities where needed.
fn label(text: &str) -> String {
    let text = escape::plain(text);
    let characters: Vec<char> = text.chars().collect();
    let word = |place: usize| characters.get(place).copied().is_some_and(in_word);
    let mut safe = String::with_capacity(text.len());
    for (place, &character) in characters.iter().enumerate() {
        let joins = matches!(character, ' ' | '-' | '_' | '/')
            && place.checked_sub(1).is_some_and(word)
            && word(place + 1);
        if joins || in_word(character) {
            safe.push(character);
        } else {
            let _ = write!(safe, "#{};", u32::from(character));
        }
    }
    safe
}

/// Mermaid itself uses `°` and `¶` to mark entities while it works; the last two no YAML may hold.
fn in_word(character: char) -> bool {
    let own = matches!(character, '°' | '¶' | '\u{fffe}' | '\u{ffff}');
    character.is_ascii_alphanumeric() || character == ',' || !(character.is_ascii() || own)
}

/// `text` as a YAML text in double quotes that holds no sign of Mermaid's own.
fn title(text: &str) -> String {
    let mut safe = String::from("\"");
    for character in escape::plain(text).chars() {
        if in_word(character) || matches!(character, ' ' | '-' | '_' | '.' | '/' | ':') {
            safe.push(character);
        } else {
            let _ = write!(safe, "\\U{:08X}", u32::from(character));
        }
    }
    safe.push('"');
    safe
}

#[cfg(test)]
mod tests {
    use super::super::examples::{HOSTILE, diamond, graph, hostile, runbook};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_runbook() {
        expect![[r#"
            ---
            title: "rollback"
            ---
            flowchart TD
                s0["kubectl-deployment-rollback<br/>relaysh/kubernetes-step-kubectl"]
                s1["convert-incident-id<br/>relaysh/datadog-step-incident-extract-id"]
                s2["update-timeline<br/>relaysh/datadog-step-incident-timeline-update"]
                s0 --> s2
                s1 -.->|"incident_id"| s2
                linkStyle 1 stroke-dasharray:2 4
        "#]]
        .assert_eq(&mermaid("rollback", &runbook()));
    }

    #[test]
    fn a_diamond() {
        expect![[r#"
            ---
            title: "ship-it"
            ---
            flowchart TD
                s0["build<br/>relaysh/build"]
                s1["scan<br/>relaysh/scan<br/>if its condition holds"]:::conditional
                s2{{"agree<br/>a person says yes or no"}}
                s3["ship<br/>relaysh/ship"]
                s0 --> s1
                s0 --> s2
                s1 -.->|"status"| s3
                s2 -->|"dependsOn, answer"| s3
                s0 -.->|"tag"| s3
                classDef conditional stroke-dasharray:5 4
                linkStyle 4 stroke-dasharray:2 4
                linkStyle 2 stroke-dasharray:8 4
        "#]]
        .assert_eq(&mermaid("ship-it", &diamond()));
    }

    #[test]
    fn no_steps() {
        let chart = mermaid("idle", &graph(""));
        assert_eq!(chart, "---\ntitle: \"idle\"\n---\nflowchart TD\n    empty[\"no steps\"]\n");
    }

    #[test]
    fn labels() {
        let cases = [
            ("", ""),
            ("deploy-web_2 now", "deploy-web_2 now"),
            ("größe 日本語 😀", "größe 日本語 😀"),
            ("relaysh/step:1.2", "relaysh/step#58;1#46;2"),
            ("\"]; x", "#34;#93;#59;#32;x"),
            ("`a` <b> &amp; #35;", "#96;a#96;#32;#60;b#62;#32;#38;amp#59;#32;#35;35#59;"),
            ("- a_ 1. b", "#45;#32;a#95;#32;1#46;#32;b"),
            ("%%{init}%% $$x$$ |", "#37;#37;#123;init#125;#37;#37;#32;#36;#36;x#36;#36;#32;#124;"),
            ("ﬂ°°60¶ß", "ﬂ#176;#176;60#182;ß"),
            ("\u{202e}a\nb", "#92;u#123;202e#125;a#92;nb"),
        ];
        for (text, expected) in cases {
            assert_eq!(label(text), expected, "{text:?}");
        }
    }

    #[test]
    fn titles() {
        let cases = [
            ("Roll back: web/api 1.2", r#""Roll back: web/api 1.2""#),
            ("a\"\\%", r#""a\U00000022\U0000005C\U00000025""#),
            ("\n", r#""\U0000005Cn""#),
        ];
        for (text, expected) in cases {
            assert_eq!(title(text), expected, "{text:?}");
        }
    }

    #[test]
    fn no_name_breaks_out_of_its_label() {
        let usual = shape_of(&mermaid("name", &hostile("name")));
        for name in HOSTILE {
            let chart = mermaid(name, &hostile(name));
            assert_eq!(shape_of(&chart), usual, "{chart}");
        }
    }

    /// The chart with each text in quotes taken out.
    fn shape_of(chart: &str) -> String {
        let line = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join("…") + "\n";
        chart.lines().map(line).collect()
    }

    #[test]
    fn a_chart_that_is_too_big_for_most_pages_says_so() {
        let steps = |n: usize| {
            let lines: Vec<_> = (0..n).map(|n| format!("s{n}: first")).collect();
            mermaid("w", &graph(&format!("first\n{}", lines.join("\n"))))
        };
        assert!(!steps(500).contains("%%"));
        assert!(steps(501).contains("    %% 501 arrows; "));
    }
}

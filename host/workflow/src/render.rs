//! How a finding is shown: to people with the lines around it, to programs as JSON.
//!
//! Nothing of the input reaches the output with its power to steer a terminal.

use crate::diagnostic::{Diagnostic, Severity, printable, steers};
use crate::source::{SourceFile, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use serde_json::{Value, json};
use std::ops::Range;

/// Whether a text for people has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Escape sequences for a terminal.
    Always,
    /// Plain text.
    Never,
}

/// Lines between two places up to which both are drawn in one picture. Text further away is
/// named by its line only, so that drawing costs the same in a file of any length.
const PICTURE_LINES_MAX: usize = 400;

/// Columns of a picture.
const COLUMNS: usize = 140;

/// One finding for people, with a line break at its end.
#[must_use]
pub fn text(diagnostic: &Diagnostic, source: &SourceFile, colour: Colour) -> String {
    let renderer = match colour {
        Colour::Always => Renderer::styled(),
        Colour::Never => Renderer::plain(),
    };
    let picture = Picture::of(diagnostic, source);
    let message = printable(&diagnostic.message);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::INFO.with_name("hint"),
    };
    let title = level.primary_title(message.as_str()).id(diagnostic.code.as_str());
    let label = diagnostic.label.as_deref().map(printable);
    let labels: Vec<(Range<usize>, String)> = diagnostic
        .labels
        .iter()
        .filter_map(|label| Some((picture.range(label.span)?, printable(&label.text))))
        .collect();
    let path = printable(source.path());
    let primary = picture.range(diagnostic.span).unwrap_or_default();
    let snippet =
        Snippet::source(picture.text.as_str())
            .line_start(picture.line)
            .path(path.as_str())
            .annotation(AnnotationKind::Primary.span(primary).label(label.as_deref()))
            .annotations(labels.iter().map(|(range, text)| {
                AnnotationKind::Context.span(range.clone()).label(text.as_str())
            }));
    let notes = notes(diagnostic, source, &picture);
    let mut group = title.element(snippet);
    for (level, note) in &notes {
        group = group.element(level.clone().message(note.as_str()));
    }
    let help = diagnostic.help.as_deref().map(printable);
    let replacement = diagnostic.fix.as_ref().map(|fix| printable(&fix.replacement));
    let change = diagnostic.fix.as_ref().zip(replacement.as_deref());
    let change = change.and_then(|(fix, text)| Some((picture.range(fix.span)?, text)));
    let report: Vec<Group<'_>> = match (help.as_deref(), change) {
        (Some(help), Some((range, replacement))) => {
            let patch = Snippet::source(picture.text.as_str())
                .line_start(picture.line)
                .patch(Patch::new(range, replacement));
            vec![group, Level::HELP.secondary_title(help).element(patch)]
        }
        (Some(help), None) => vec![group.element(Level::HELP.message(help))],
        (None, _) => vec![group],
    };
    let mut drawn = renderer.term_width(COLUMNS).render(&report);
    drawn.push('\n');
    drawn
}

/// The note, and a line for each label that is too far away to be drawn.
fn notes(
    diagnostic: &Diagnostic,
    source: &SourceFile,
    picture: &Picture,
) -> Vec<(Level<'static>, String)> {
    let far = diagnostic.labels.iter().filter(|label| picture.range(label.span).is_none());
    let far = far.map(|label| {
        let line = source.position(label.span.start).line;
        format!("line {line}: {}", printable(&label.text))
    });
    let notes = diagnostic.note.as_deref().map(printable).into_iter().chain(far);
    notes.map(|note| (Level::NOTE, note)).collect()
}

/// One finding for programs. Offsets are bytes from 0, lines and columns (in characters) from 1.
#[must_use]
pub fn json(diagnostic: &Diagnostic, source: &SourceFile) -> Value {
    let labels = diagnostic.labels.iter().map(|label| {
        let mut value = place(label.span, source);
        value["message"] = label.text.as_str().into();
        value
    });
    let mut value = json!({
        "code": diagnostic.code.as_str(),
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": source.path(),
        "at": diagnostic.at,
        "span": place(diagnostic.span, source),
        "labels": labels.collect::<Vec<_>>(),
    });
    let optional =
        [("label", &diagnostic.label), ("note", &diagnostic.note), ("help", &diagnostic.help)];
    for (key, text) in optional {
        if let Some(text) = text {
            value[key] = text.as_str().into();
        }
    }
    if let Some(fix) = &diagnostic.fix {
        value["fix"] = place(fix.span, source);
        value["fix"]["replacement"] = fix.replacement.as_str().into();
    }
    value
}

fn place(span: Span, source: &SourceFile) -> Value {
    let (start, end) = (source.position(span.start), source.position(span.end));
    json!({
        "start": {"offset": span.start, "line": start.line, "column": start.column},
        "end": {"offset": span.end, "line": end.line, "column": end.column},
    })
}

/// The part of the text that is drawn.
struct Picture {
    text: String,
    /// The number of its first line.
    line: usize,
    /// Where it begins in the file.
    start: usize,
}

impl Picture {
    /// The lines of the finding, and those of its labels as far as they are near.
    fn of(diagnostic: &Diagnostic, source: &SourceFile) -> Self {
        let line = |offset| source.position(offset).line;
        let mut whole = diagnostic.span;
        let others = diagnostic.labels.iter().map(|label| label.span);
        for span in others.chain(diagnostic.fix.iter().map(|fix| fix.span)) {
            let joined = whole.join(span);
            if line(joined.end).saturating_sub(line(joined.start)) <= PICTURE_LINES_MAX {
                whole = joined;
            }
        }
        let range = source.lines_around(whole);
        let (start, first) = (range.start, line(range.start));
        Self { text: harmless(&source.text()[range]), line: first, start }
    }

    /// Where a part of the file stands in the picture; nothing if it is outside.
    fn range(&self, span: Span) -> Option<Range<usize>> {
        let start = span.start.checked_sub(self.start)?;
        let end = span.end.max(span.start).checked_sub(self.start)?;
        let fits = end <= self.text.len()
            && self.text.is_char_boundary(start)
            && self.text.is_char_boundary(end);
        fits.then_some(start..end)
    }
}

/// The text with every character that could steer a terminal replaced by one of the same size in
/// bytes, so that places stay right.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' => character,
            _ if steers(character) && character.len_utf8() == 2 => '¿',
            _ if steers(character) => '\u{fffd}',
            _ if !character.is_control() => character,
            _ if character.len_utf8() == 2 => '¿',
            // Line ends of another system are no mistake and would only disturb.
            '\r' => ' ',
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    fn finding() -> (Diagnostic, SourceFile) {
        let text = "steps:\n- name: build\n- name: deploy\n  dependsOn: biuld\n";
        let source = SourceFile::new("workflows/deploy.yaml", text);
        let start = text.find("biuld").expect("is there");
        let span = Span::new(start, start + 5);
        let diagnostic = Diagnostic::new(Code::UnknownStep, span, "no step is called `biuld`")
            .labelled("not a step")
            .pointing(Span::new(15, 20), "this one is close")
            .helping("did you mean `build`?")
            .fixed_by(span, "build");
        (diagnostic, source)
    }

    #[test]
    fn how_a_finding_looks() {
        let (diagnostic, source) = finding();
        expect_test::expect![[r#"
            error[unknown-step]: no step is called `biuld`
             --> workflows/deploy.yaml:4:14
              |
            2 | - name: build
              |         ----- this one is close
            3 | - name: deploy
            4 |   dependsOn: biuld
              |              ^^^^^ not a step
              |
            help: did you mean `build`?
              |
            4 -   dependsOn: biuld
            4 +   dependsOn: build
              |
        "#]]
        .assert_eq(&text(&diagnostic, &source, Colour::Never));
    }

    #[test]
    fn how_a_finding_looks_to_a_program() {
        let (diagnostic, source) = finding();
        let expected = json!({
            "code": "unknown-step",
            "severity": "error",
            "message": "no step is called `biuld`",
            "file": "workflows/deploy.yaml",
            "at": "",
            "span": {"start": {"offset": 49, "line": 4, "column": 14},
                     "end": {"offset": 54, "line": 4, "column": 19}},
            "label": "not a step",
            "labels": [{"message": "this one is close",
                        "start": {"offset": 15, "line": 2, "column": 9},
                        "end": {"offset": 20, "line": 2, "column": 14}}],
            "help": "did you mean `build`?",
            "fix": {"replacement": "build",
                    "start": {"offset": 49, "line": 4, "column": 14},
                    "end": {"offset": 54, "line": 4, "column": 19}},
        });
        assert_eq!(json(&diagnostic, &source), expected);
    }

    #[test]
    fn a_hostile_text_can_t_steer_the_terminal() {
        let source =
            SourceFile::new("\u{1b}]0;x\u{7}.yaml", "a: \u{1b}[2J\u{9b}31m\u{202e}x\r\nb\n");
        let diagnostic =
            Diagnostic::new(Code::YamlSyntax, Span::new(3, 4), "bad \u{1b}[0m").helping("\u{7}");
        let drawn = text(&diagnostic, &source, Colour::Never);
        let bad: Vec<char> =
            drawn.chars().filter(|&c| (c.is_control() && c != '\n') || steers(c)).collect();
        assert_eq!(bad, [], "{drawn}");
    }

    #[test]
    fn a_far_label_is_named_by_its_line() {
        let mut lines = "first\n".to_owned();
        lines.push_str(&"x\n".repeat(PICTURE_LINES_MAX + 5));
        let source = SourceFile::new("a", lines);
        let end = source.text().len() - 2;
        let diagnostic = Diagnostic::new(Code::YamlDuplicateKey, Span::new(end, end + 1), "again")
            .pointing(Span::new(0, 5), "first here");
        let drawn = text(&diagnostic, &source, Colour::Never);
        assert!(drawn.contains("line 1: first here"), "{drawn}");
        assert!(drawn.lines().count() < 10, "{drawn}");
    }
}

//! A workflow's graph as lines for a terminal: what starts first stands first.
//!
//! No boxes and no crossing lines: a step says itself what it waits for and why.

use super::{Arrow, Drawing, EMPTY, count, cut, remarks};
use crate::escape;
use crate::look::{BOLD, BUSY, DIM, Look, PLAIN, Row};
use unicode_width::UnicodeWidthStr;
use workflow::{Graph, StepKind};

/// The most columns for a step's name before what follows is pushed to the right.
const NAME_COLUMNS_MAX: usize = 32;

/// The steps by level, each with what it waits for and why; a line break after each line.
///
/// Steps of one level wait only for steps of the levels before. No line is wider than
/// `look.width`.
#[must_use]
pub fn text(name: &str, graph: &Graph, look: &Look) -> String {
    let drawing = Drawing::new(graph);
    let rows = drawing.by_level();
    let mut waits: Vec<Vec<&Arrow<'_>>> = vec![Vec::new(); graph.steps.len()];
    for arrow in &drawing.arrows {
        waits[arrow.to].push(arrow);
    }
    let page = Page {
        names: columns(&drawing, 0..graph.steps.len()),
        gutter: rows.len().to_string().len(),
        drawing: &drawing,
        look,
    };
    let mut lines = vec![page.header(name, rows.len())];
    for (level, steps) in rows.iter().enumerate() {
        for (place, &step) in steps.iter().enumerate() {
            lines.push(page.step(step, (place == 0).then_some(level + 1)));
            lines.extend(page.waits(&waits[step]));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

struct Page<'a> {
    drawing: &'a Drawing<'a>,
    /// Columns for the names of the steps.
    names: usize,
    /// Columns for the number of a level.
    gutter: usize,
    look: &'a Look,
}

impl Page<'_> {
    fn header(&self, name: &str, levels: usize) -> String {
        let size = match self.drawing.steps.len() {
            0 => EMPTY.to_owned(),
            steps => format!("{} on {}", count(steps, "step"), count(levels, "level")),
        };
        Row::new().add(BOLD, escape::plain(name)).add(DIM, format!("  {size}")).draw(self.look)
    }

    fn step(&self, number: usize, level: Option<usize>) -> String {
        let step = &self.drawing.steps[number];
        let (style, sign) = match (step.kind, self.look.ascii) {
            (StepKind::Container, false) => (PLAIN, "○"),
            (StepKind::Container, true) => (PLAIN, "o"),
            (StepKind::Approval, false) => (BUSY, "◇"),
            (StepKind::Approval, true) => (BUSY, "?"),
        };
        // The condition first: of an image that is cut at its end less is lost.
        let remarks: Vec<_> = remarks(step).into_iter().rev().collect();
        let level = level.map(|level| level.to_string()).unwrap_or_default();
        Row::new()
            .add(DIM, format!("{level:>width$} ", width = self.gutter))
            .add(style, sign)
            .add(PLAIN, " ")
            .column(PLAIN, &self.drawing.name(number), self.names)
            .add(DIM, format!("  {}", remarks.join(", ")))
            .draw(self.look)
    }

    fn waits(&self, arrows: &[&Arrow<'_>]) -> Vec<String> {
        let names = columns(self.drawing, arrows.iter().map(|arrow| arrow.from));
        // At least half of the line is for the reasons, whatever the names are.
        let line = |(place, arrow): (usize, &&Arrow<'_>)| {
            let branch = match (place + 1 == arrows.len(), self.look.ascii) {
                (false, false) => "├─",
                (true, false) => "└─",
                (false, true) => "|-",
                (true, true) => "`-",
            };
            Row::new()
                .add(PLAIN, " ".repeat(self.gutter + 3))
                .add(DIM, format!("{branch} waits for "))
                .column(PLAIN, &cut(&self.drawing.name(arrow.from), self.look.width / 2), names)
                .add(DIM, format!("  {}", arrow.reasons()))
                .draw(self.look)
        };
        arrows.iter().enumerate().map(line).collect()
    }
}

/// Columns that hold the names of `steps`.
fn columns(drawing: &Drawing<'_>, steps: impl Iterator<Item = usize>) -> usize {
    let widest = steps.map(|step| drawing.name(step).width()).max().unwrap_or(0);
    widest.min(NAME_COLUMNS_MAX)
}

#[cfg(test)]
mod tests {
    use super::super::examples::{HOSTILE, diamond, graph, hostile, runbook};
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_runbook() {
        expect![[r#"
            rollback  3 steps on 2 levels
            1 ○ kubectl-deployment-rollback  relaysh/kubernetes-step-kubectl
              ○ convert-incident-id          relaysh/datadog-step-incident-extract-id
            2 ○ update-timeline              relaysh/datadog-step-incident-timeline-update
                ├─ waits for kubectl-deployment-rollback  dependsOn
                └─ waits for convert-incident-id          output incident_id
        "#]]
        .assert_eq(&text("rollback", &runbook(), &Look::PLAIN));
    }

    #[test]
    fn a_diamond() {
        expect![[r#"
            ship-it  4 steps on 3 levels
            1 ○ build  relaysh/build
            2 ○ scan   if its condition holds, relaysh/scan
                └─ waits for build  dependsOn
              ◇ agree  a person says yes or no
                └─ waits for build  dependsOn
            3 ○ ship   relaysh/ship
                ├─ waits for scan   status
                ├─ waits for agree  dependsOn, answer
                └─ waits for build  output tag
        "#]]
        .assert_eq(&text("ship-it", &diamond(), &Look::PLAIN));
    }

    #[test]
    fn a_diamond_in_ascii_and_colour_on_a_narrow_screen() {
        let look = Look { ascii: true, width: 36, ..Look::PLAIN };
        let drawn = text("ship-it", &diamond(), &look);
        assert!(drawn.is_ascii());
        expect![[r#"
            ship-it  4 steps on 3 levels
            1 o build  relaysh/build
            2 o scan   if its condition holds,~
                `- waits for build  dependsOn
              ? agree  a person says yes or no
                `- waits for build  dependsOn
            3 o ship   relaysh/ship
                |- waits for scan   status
                |- waits for agree  dependsOn,~
                `- waits for build  output tag
        "#]]
        .assert_eq(&drawn);

        let colour = text("a", &graph("a\nb: a"), &Look { color: true, ..Look::PLAIN });
        expect![[r#"
            ^[1ma^[0m^[2m  2 steps on 2 levels^[0m
            ^[2m1 ^[0m○ a^[2m  relaysh/a^[0m
            ^[2m2 ^[0m○ b^[2m  relaysh/b^[0m
                ^[2m└─ waits for ^[0ma^[2m  dependsOn^[0m
        "#]]
        .assert_eq(&colour.replace('\u{1b}', "^"));
    }

    #[test]
    fn a_long_name_leaves_room_for_what_follows() {
        let long = graph(&format!("{0}\nb: {0} a/status\na", "long-".repeat(10)));
        expect![[r#"
            w  3 steps on 2 levels
            1 ○ long-long-long-long-long-long-long-long-long-long-  relaysh/l…
              ○ a                                 relaysh/a
            2 ○ b                                 relaysh/b
                ├─ waits for long-long-long-long-long-long-lo…  dependsOn
                └─ waits for a                                 status
        "#]]
        .assert_eq(&text("w", &long, &Look { width: 66, ..Look::PLAIN }));
    }

    #[test]
    fn no_steps_and_one_step() {
        assert_eq!(text("idle", &graph(""), &Look::PLAIN), "idle  no steps\n");
        let one = text("one", &graph("a"), &Look::PLAIN);
        assert_eq!(one, "one  1 step on 1 level\n1 ○ a  relaysh/a\n");
    }

    #[test]
    fn a_line_is_a_step_or_a_reason_whatever_the_names_are() {
        for name in HOSTILE {
            for width in [0, 1, 20, 80, usize::MAX] {
                let drawn = text(name, &hostile(name), &Look { width, ..Look::PLAIN });
                assert_eq!(drawn.lines().count(), 4, "{drawn}");
                assert!(drawn.lines().all(|line| line.width() <= width), "{width}: {drawn}");
            }
        }
    }
}

//! A workflow's graph as a picture: SVG that needs no script, no font and no other file.
//!
//! Light, with a dark form for readers who want their screen dark; it brings its own ground, so
//! it can be read on any page. What is cut off for room is whole in the `<title>`.

mod shapes;
#[cfg(test)]
mod tests;

use self::shapes::{POINT, head, hexagon, path, px};
use super::layout::{Layout, Link, Pixels, Point, Size, layout};
use super::{Drawing, EMPTY, Stroke, count, cut, remarks};
use crate::escape;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;
use workflow::{Graph, GraphStep, StepKind};

/// Width of a column and height of a line, in pixels. The fonts have a fixed width of six
/// tenths of their size; a little more is taken for those that are wider.
const NAME: Size = Size { width: 8.0, height: 19.0 };
const SMALL: Size = Size { width: 6.8, height: 16.0 };

/// The most columns of a text before it is cut.
const NAME_COLUMNS_MAX: usize = 40;
const REMARK_COLUMNS_MAX: usize = 52;
const LABEL_COLUMNS_MAX: usize = 32;
const TITLE_COLUMNS_MAX: usize = 80;

/// Between a box's edge and its text.
const PADDING: Size = Size { width: 16.0, height: 8.0 };
/// Around the picture, and the height of the heading above.
const MARGIN: Pixels = 24.0;
const HEADING: Pixels = 48.0;
/// The row below that says what the lines mean, and a sample in it.
const LEGEND: Pixels = 40.0;
const SAMPLE: Pixels = 36.0;

/// The dark form. The light one stands in attributes, for viewers that know no styles.
const STYLE: &str = "<style>@media (prefers-color-scheme:dark){\
.workflow-graph .ground{fill:#0d1117}.workflow-graph .ink{fill:#e6edf3}\
.workflow-graph .faint{fill:#9da7b3}.workflow-graph .line{stroke:#9da7b3}\
.workflow-graph .box{fill:#161b22;stroke:#8b949e}\
.workflow-graph .gate{fill:#2b2111;stroke:#d29922}}</style>\n";

/// The picture, as the text of an SVG file with a line break at its end.
///
/// Below the name are the steps, each below all that it waits for.
#[must_use]
pub fn svg(name: &str, graph: &Graph) -> String {
    let drawing = Drawing::new(graph);
    let cards: Vec<Card> = drawing.steps.iter().map(Card::new).collect();
    let labels: Vec<Option<String>> = drawing
        .arrows
        .iter()
        .map(|arrow| arrow.label().map(|label| cut(&label, LABEL_COLUMNS_MAX)))
        .collect();
    let links = drawing.arrows.iter().zip(&labels).map(|(arrow, label)| Link {
        from: arrow.from,
        to: arrow.to,
        label: label.as_ref().map(|text| Size { width: width(text, SMALL), ..SMALL }),
    });
    let sizes: Vec<Size> = cards.iter().map(|card| card.size).collect();
    let laid = layout(&sizes, &drawing.levels, &links.collect::<Vec<_>>());

    let legend = legend(&drawing);
    let mut picture = Picture { drawing: &drawing, laid: &laid, legend, text: String::new() };
    picture.open(name);
    picture.lines(&labels);
    for ((card, step), &corner) in cards.iter().zip(drawing.steps).zip(&laid.boxes) {
        picture.card(card, step, corner);
    }
    picture.close();
    picture.text
}

/// A step's box and what stands in it.
struct Card {
    name: String,
    remarks: Vec<String>,
    size: Size,
}

impl Card {
    fn new(step: &GraphStep) -> Self {
        let name = cut(&escape::plain(step.name.as_str()), NAME_COLUMNS_MAX);
        let remarks: Vec<String> =
            remarks(step).iter().map(|text| cut(text, REMARK_COLUMNS_MAX)).collect();
        let widest = remarks.iter().map(|text| width(text, SMALL)).fold(0.0, Pixels::max);
        let points = if step.kind == StepKind::Approval { 2.0 * POINT } else { 0.0 };
        let size = Size {
            width: widest.max(width(&name, NAME)) + 2.0 * PADDING.width + points,
            height: NAME.height + SMALL.height * remarks.len() as Pixels + 2.0 * PADDING.height,
        };
        Self { name, remarks, size }
    }
}

struct Picture<'a> {
    drawing: &'a Drawing<'a>,
    laid: &'a Layout,
    legend: Vec<(Stroke, &'static str)>,
    text: String,
}

impl Picture<'_> {
    /// Adds a line. Writing into a text can't fail.
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    fn open(&mut self, name: &str) {
        let full = escape::plain(name);
        let shown = cut(&full, TITLE_COLUMNS_MAX);
        let size = match self.drawing.steps.len() {
            0 => EMPTY.to_owned(),
            steps => count(steps, "step"),
        };
        let after = width(&shown, NAME) + 16.0;
        let (wide, high) = self.size(after + width(&size, SMALL));
        self.line(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"workflow-graph\" \
             viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
             font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\">"
        ));
        self.line(format_args!("<title>{}: {size}</title>", xml(&full)));
        self.text.push_str(STYLE);
        self.line(format_args!(
            "<rect class=\"ground\" width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"#ffffff\"/>"
        ));
        self.line(format_args!(
            "<text class=\"ink\" x=\"{MARGIN}\" y=\"30\" font-size=\"13\" font-weight=\"600\" \
             fill=\"#1f2328\">{}</text>",
            xml(&shown)
        ));
        self.line(format_args!(
            "<text class=\"faint\" x=\"{}\" y=\"30\" font-size=\"11\" fill=\"#57606a\">{size}</text>",
            px(MARGIN + after)
        ));
        self.line(format_args!("<g transform=\"translate({MARGIN} {HEADING})\">"));
    }

    /// Width and height of all, with a heading so wide.
    fn size(&self, heading: Pixels) -> (i64, i64) {
        let samples: Pixels = self.legend.iter().map(|(_, words)| sample_width(words)).sum();
        let wide = self.laid.size.width.max(samples).max(heading) + 2.0 * MARGIN;
        let legend = if self.legend.is_empty() { 0.0 } else { LEGEND };
        (px(wide), px(self.laid.size.height + HEADING + legend + MARGIN))
    }

    fn lines(&mut self, labels: &[Option<String>]) {
        for ((arrow, label), line) in self.drawing.arrows.iter().zip(labels).zip(&self.laid.lines) {
            let tip = self.drawing.sentence(arrow);
            let (path, head) = (path(&line.parts), head(&line.parts));
            self.line(format_args!("<g><title>{}</title>", xml(&tip)));
            self.line(format_args!(
                "<path class=\"line\" d=\"{path}\" fill=\"none\" stroke=\"#57606a\" \
                 stroke-width=\"1.5\"{}/>",
                dashes(arrow.stroke())
            ));
            self.line(format_args!("<path class=\"faint\" d=\"{head}\" fill=\"#57606a\"/>"));
            if let (Some(label), Some(at)) = (label, line.label) {
                self.line(format_args!(
                    "<text class=\"faint\" x=\"{}\" y=\"{}\" font-size=\"11\" \
                     text-anchor=\"middle\" fill=\"#57606a\">{}</text>",
                    px(at.x),
                    px(at.y + 4.0),
                    xml(label)
                ));
            }
            self.line(format_args!("</g>"));
        }
    }

    fn card(&mut self, card: &Card, step: &GraphStep, corner: Point) {
        let (x, y) = (px(corner.x), px(corner.y));
        let (wide, high) = (px(card.size.width), px(card.size.height));
        let mut full = vec![escape::plain(step.name.as_str())];
        full.extend(remarks(step));
        let dashes = if step.conditional { " stroke-dasharray=\"5 4\"" } else { "" };
        self.line(format_args!("<g><title>{}</title>", xml(&full.join("\n"))));
        match step.kind {
            StepKind::Container => self.line(format_args!(
                "<rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" \
                 rx=\"6\" fill=\"#f6f8fa\" stroke=\"#57606a\"{dashes}/>"
            )),
            StepKind::Approval => self.line(format_args!(
                "<path class=\"gate\" d=\"{}\" fill=\"#fff8c5\" stroke=\"#9a6700\"{dashes}/>",
                hexagon(corner, card.size)
            )),
        }
        let middle = px(corner.x + card.size.width / 2.0);
        let mut base = corner.y + PADDING.height + 14.0;
        self.line(format_args!(
            "<text class=\"ink\" x=\"{middle}\" y=\"{}\" font-size=\"13\" font-weight=\"600\" \
             text-anchor=\"middle\" fill=\"#1f2328\">{}</text>",
            px(base),
            xml(&card.name)
        ));
        for remark in &card.remarks {
            base += SMALL.height;
            self.line(format_args!(
                "<text class=\"faint\" x=\"{middle}\" y=\"{}\" font-size=\"11\" \
                 text-anchor=\"middle\" fill=\"#57606a\">{}</text>",
                px(base),
                xml(remark)
            ));
        }
        self.line(format_args!("</g>"));
    }

    fn close(&mut self) {
        let y = px(self.laid.size.height + LEGEND - 8.0);
        let mut x = 0.0;
        for (stroke, words) in std::mem::take(&mut self.legend) {
            self.line(format_args!(
                "<path class=\"line\" d=\"M{} {y}h{}\" fill=\"none\" stroke=\"#57606a\" stroke-width=\"1.5\"{}/>",
                px(x),
                px(SAMPLE),
                dashes(stroke)
            ));
            self.line(format_args!(
                "<text class=\"faint\" x=\"{}\" y=\"{}\" font-size=\"11\" fill=\"#57606a\">{words}</text>",
                px(x + SAMPLE + 8.0),
                y + 4
            ));
            x += sample_width(words);
        }
        self.text.push_str("</g>\n</svg>\n");
    }
}

/// What the kinds of lines mean that occur; nothing if all are plain.
fn legend(drawing: &Drawing<'_>) -> Vec<(Stroke, &'static str)> {
    let occurs = |stroke| drawing.arrows.iter().any(|arrow| arrow.stroke() == stroke);
    let strokes: Vec<_> = Stroke::ALL.into_iter().filter(|&stroke| occurs(stroke)).collect();
    if matches!(strokes[..], [] | [Stroke::Solid]) {
        return Vec::new();
    }
    let words = |stroke| match stroke {
        Stroke::Solid => "dependsOn",
        Stroke::Dotted => "uses an output",
        Stroke::Dashed => "asks for the status",
        Stroke::DashDotted => "uses the answer",
    };
    strokes.into_iter().map(|stroke| (stroke, words(stroke))).collect()
}

fn sample_width(words: &str) -> Pixels {
    SAMPLE + 8.0 + width(words, SMALL) + 24.0
}

fn dashes(stroke: Stroke) -> String {
    match stroke.dashes() {
        "" => String::new(),
        dashes => format!(" stroke-dasharray=\"{dashes}\""),
    }
}

fn width(text: &str, font: Size) -> Pixels {
    text.width() as Pixels * font.width
}

/// `text`, which is plain already, for use between two tags.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML allows these two nowhere; they have no meaning that could be lost.
            '\u{fffe}' | '\u{ffff}' => safe.push(char::REPLACEMENT_CHARACTER),
            other => safe.push(other),
        }
    }
    safe
}

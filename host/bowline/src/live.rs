//! Follows a run on stdout: a tree that is drawn over itself on a terminal, lines elsewhere,
//! JSON when asked for.

use crate::output::Output;
use jiff::Timestamp;
use journal::Recorded;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use views::{RunView, json, text, tree};

/// How often a tree is drawn anew, at most: more is only flicker.
const FRAME_EVERY: Duration = Duration::from_millis(80);

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Lines,
    Tree,
}

/// Shows what is heard until nobody speaks any more; `seen` is what is known before. Gives back
/// what is known then.
pub(crate) async fn follow(
    mut heard: UnboundedReceiver<Recorded>,
    form: Form,
    output: &Output,
    seen: Option<RunView>,
) -> Option<RunView> {
    let mut view = seen;
    let mut drawn = Drawn::default();
    let mut frames = tokio::time::interval(FRAME_EVERY);
    loop {
        tokio::select! {
            recorded = heard.recv() => {
                let Some(recorded) = recorded else { break };
                match &mut view {
                    Some(view) => view.apply(&recorded),
                    None => view = RunView::from_events(std::slice::from_ref(&recorded)),
                }
                if let Some(view) = &view {
                    show(view, &recorded, form, output);
                }
            }
            _ = frames.tick(), if form == Form::Tree => {
                if let Some(view) = &view {
                    drawn.draw(view, output);
                }
            }
        }
    }
    if let (Form::Tree, Some(view)) = (form, &view) {
        drawn.draw(view, output);
    }
    view
}

fn show(view: &RunView, recorded: &Recorded, form: Form, output: &Output) {
    match form {
        Form::Json => output.line(&json::line(view, recorded)),
        Form::Lines => {
            if let Some(line) = text::line(view, recorded, &output.look()) {
                output.line(&line);
            }
        }
        Form::Tree => {}
    }
}

/// The frame that stands on the terminal.
#[derive(Default)]
struct Drawn {
    lines: usize,
}

impl Drawn {
    /// Goes back to the frame's first line and draws over it. Only this region is touched, so
    /// what stands above stays in the scrollback.
    fn draw(&mut self, view: &RunView, output: &Output) {
        let frame = tree::frame(view, Timestamp::now().as_millisecond(), &output.look());
        let mut text = String::new();
        if self.lines > 0 {
            text.push_str(&format!("\x1b[{}A", self.lines));
        }
        for line in &frame {
            text.push_str(line);
            text.push_str("\x1b[K\n");
        }
        // A shorter frame leaves lines of the longer one before.
        text.push_str("\x1b[J");
        output.text(&text);
        self.lines = frame.len();
    }
}

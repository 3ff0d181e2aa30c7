//! What a run waits for: what may have happened, who may say what, and the commands to type.

use super::Page;
use crate::look::{BAD, BOLD, BUSY, DIM, PLAIN, Row};
use crate::{AnswerView, EffectView, OpenView, RunView, StepStatus, StepView};
use crate::{escape, question, remedy, words};
use anstyle::Style;
use journal::{EffectOutcome, Question, RunStatus};

impl Page {
    /// All that a person may do so that the run goes on; nothing for one that is over.
    pub(super) fn waiting(&mut self, view: &RunView, driven: Option<bool>) {
        if view.status.is_final() {
            return;
        }
        for step in &view.steps {
            match &step.open {
                Some(OpenView::Approval { question, answers, .. }) => {
                    self.wants_approval(view, step, question, answers);
                }
                Some(OpenView::Outcome { attempt, number, message, .. }) => {
                    let call = step.effect(*attempt, *number);
                    self.wants_outcome(view, step, call, message);
                }
                None if step.status == StepStatus::Waiting => {
                    self.wants_approval(view, step, &Question::default(), &[]);
                }
                None => {}
            }
        }
        if view.status == RunStatus::Running && driven != Some(true) {
            self.may_go_on(view, driven);
        }
    }

    fn wants_approval(
        &mut self,
        view: &RunView,
        step: &StepView,
        question: &Question,
        answers: &[AnswerView],
    ) {
        let needs = question::needs(question, answers, &self.look);
        self.heading(step, &format!("waits: it {needs}"));
        for answer in answers {
            let said = question::said(&answer.by, answer.verdict, answer.reason.as_deref());
            let said = format!("{} {said}", self.look.time(answer.at));
            self.below(PLAIN, &said);
        }
        for command in remedy::answers(view, step) {
            self.below(BOLD, &command);
        }
    }

    fn wants_outcome(
        &mut self,
        view: &RunView,
        step: &StepView,
        call: Option<&EffectView>,
        message: &str,
    ) {
        self.heading(step, "waits: nobody knows whether this took effect:");
        match call {
            Some(call) => {
                let left = format!("left the host {}", self.look.time(call.left_at));
                let text = format!("{}, {left}{}", words::effect_subject(call), no_answer(call));
                self.below(BAD, &text);
                self.below(DIM, &escape::plain(message));
            }
            None => self.below(BAD, &escape::plain(message)),
        }
        let command = remedy::resolve(view, &step.name, "done|not-done");
        self.below(BOLD, &format!("look there, then:  {command}"));
    }

    /// A run without an end either goes on now, or its process is gone.
    fn may_go_on(&mut self, view: &RunView, driven: Option<bool>) {
        let if_so = match driven {
            Some(_) => "nobody drives it any more; it can go on:",
            None => "if its process is gone, it can go on:",
        };
        let text = format!("  {if_so}  {}", remedy::resume(view));
        self.text.push('\n');
        self.line(Row::new().add(BUSY, text));
    }

    fn heading(&mut self, step: &StepView, text: &str) {
        let name = escape::plain(step.name.as_str());
        self.text.push('\n');
        self.line(Row::new().add(BUSY, format!("  {name} {text}")));
    }

    fn below(&mut self, style: Style, text: &str) {
        self.line(Row::new().add(PLAIN, "    ").add(style, text));
    }
}

fn no_answer(call: &EffectView) -> String {
    match &call.outcome {
        Some(EffectOutcome::InDoubt { message }) => format!(": {}", escape::plain(message)),
        Some(EffectOutcome::Answered { status, .. }) => format!(", answered {status}"),
        Some(EffectOutcome::NotMade { .. }) | None => ", no answer".to_owned(),
    }
}

//! What holds for every workflow, whatever happens in it.

use super::*;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    /// Up to 7 steps that wait for any others, circles included.
    fn workflow(&mut self) -> Vec<PlannedStep> {
        let count = 1 + self.below(7);
        let steps = (0..count).map(|number| {
            let mut line = format!("s{number}");
            if number > 0 && self.below(3) > 0 {
                let reach = if self.below(8) == 0 { count } else { number };
                line.push_str(&format!(" after s{}", self.below(reach)));
            }
            if number > 0 && self.below(3) == 0 {
                line.push_str(&format!(" needs s{}.x", self.below(number)));
            }
            if self.below(5) == 0 {
                line.push_str(" when ${parameters.no}");
            } else if number > 0 && self.below(5) == 0 {
                line.push_str(&format!(" when ${{steps.s{}.failed}}", self.below(number)));
            }
            step(&line)
        });
        steps.collect()
    }
}

#[test]
fn every_workflow_ends_with_each_step_settled_once_and_in_order() {
    let mut dice = Dice(7);
    for round in 0..2_000 {
        let steps = dice.workflow();
        let plan = Box::new(plan(steps.clone()));
        let run = RunId::fresh();
        let (by, drill) = (String::new(), false);
        let mut events = Vec::new();
        let mut tell = |event| {
            let position = events.len() as u64;
            events.push(Recorded { position, at: position as i64, event });
            RunState::replay(&events).expect("a run")
        };
        let mut state = tell(Event::RunStarted { run, plan, by, drill, context: Box::default() });
        let mut settled: Vec<StepName> = Vec::new();
        let mut running: Vec<StepName> = Vec::new();
        for turn in 0.. {
            assert!(turn < 100, "round {round} does not end: {steps:#?}");
            let decisions = match state.what_next() {
                Next::End(status) => {
                    assert!(status.is_final() && running.is_empty(), "round {round}: {status:?}");
                    break;
                }
                Next::Do(decisions) => decisions,
                Next::Wait => {
                    let step = running.swap_remove(dice.below(running.len()));
                    settled.push(step.clone());
                    let outputs = json!({"x": 1}).as_object().expect("a mapping").clone();
                    state = tell(match dice.below(4) {
                        0 => Event::StepFailed {
                            step,
                            attempt: 1,
                            failure: Failure::permanent("test.failure", "it broke"),
                        },
                        _ => Event::StepSucceeded { step, attempt: 1, outputs },
                    });
                    continue;
                }
            };
            for decision in decisions {
                let event = match decision {
                    Decision::Start(start) => {
                        let planned = steps.iter().find(|step| step.name == start.step);
                        let after = &planned.expect("planned").after;
                        assert!(after.iter().all(|step| settled.contains(step)), "round {round}");
                        running.push(start.step.clone());
                        Event::StepStarted { step: start.step, attempt: 1 }
                    }
                    Decision::Skip { step, reason } => {
                        settled.push(step.clone());
                        Event::StepSkipped { step, reason }
                    }
                    Decision::Resume(..)
                    | Decision::Ask { .. }
                    | Decision::Settle { .. }
                    | Decision::Pass { .. } => panic!("nobody is asked and nothing is retried"),
                    Decision::Fail { step, attempt, failure } => {
                        settled.push(step.clone());
                        Event::StepFailed { step, attempt, failure }
                    }
                };
                state = tell(event);
            }
        }
        settled.sort();
        let mut names: Vec<StepName> = steps.into_iter().map(|step| step.name).collect();
        names.sort();
        assert_eq!(settled, names, "round {round}");
    }
}

//! C: computing, memory and stack.

use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use tests::guest;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("C1", "loops for ever", &[Layer::Cpu], loops)]
}

fn loops(stage: &mut Stage) -> String {
    stage.module("endless", &guest::module("", "(loop $l (br $l)) (unreachable)"));
    let run = stage.run_plugin("endless");
    let failure = run.fails("limit.cpu");
    assert!(failure.message.contains("100ms"), "{}", failure.message);
    format!("limit.cpu after {} ms", run.elapsed.as_millis())
}

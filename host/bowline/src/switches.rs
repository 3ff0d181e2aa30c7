//! What only a program that was built beside its tests listens to: where to die, and which defence
//! to do without. In the program that people get, nothing here does anything.

use crate::output::environment;
use effects::Layer;
use journal::kill_points;

/// Does what the environment says.
pub(crate) fn set() {
    if !Layer::SWITCHES {
        return;
    }
    if let Some(point) = environment("BOWLINE_TEST_KILL") {
        kill_points::arm(&point);
    }
    if let Some(without) = environment("BOWLINE_TEST_WITHOUT") {
        Layer::take_away_named(&without);
    }
}

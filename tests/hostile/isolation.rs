//! H: one step and the next, time, and the end.

use crate::table::Case;

pub(crate) fn cases() -> Vec<Case> {
    Vec::new()
}

//! What a rollback means, decided on plain JSON.
//!
//! Pure: no cluster, no clock, no log. The algorithm is that of `kubectl rollout undo`; templates
//! are carried as raw JSON, so that members newer than this code survive.

pub mod history;
pub mod patch;
pub mod revisions;
pub mod selector;
pub mod template;
pub mod warnings;

use serde_json::Value;

/// An annotation of an object.
pub(crate) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

/// Sorts a short list. By insertion: the standard library's sorts are long, and a guest that uses
/// them for three lists grows by a tenth.
pub(crate) fn sort<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    for sorted in 1..items.len() {
        let mut place = sorted;
        while place > 0 && less(&items[place], &items[place - 1]) {
            items.swap(place, place - 1);
            place -= 1;
        }
    }
}

/// The annotation in which the deployment controller counts revisions.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";

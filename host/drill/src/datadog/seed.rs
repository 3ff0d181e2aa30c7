//! The incidents that are there at the start: numbers 1 to 120, some of them deleted.
//!
//! Most are old and resolved; 5 and 117 are open, for runbooks to work on. The same at every
//! start but for the times, which count back from it.

use super::incidents::Incident;
use super::timeline::Cell;
use crate::clock::before;
use crate::identity::Ids;
use jiff::Timestamp;

/// The highest number.
const NEWEST: u64 = 120;
/// Numbers whose incidents were deleted.
const DELETED: &[u64] = &[13, 42, 43, 77, 101];
/// Hours between two incidents.
const HOURS_APART: i64 = 31;

const STORIES: &[&str] = &[
    "elevated 5xx on checkout",
    "queue of the mail sender is growing",
    "disk of the log store is filling up",
    "certificate of the partner gateway runs out",
    "slow queries on the orders database",
    "login fails for some customers",
    "search results are hours behind",
];

/// All incidents, oldest first.
pub(super) fn incidents(ids: &mut Ids, now: Timestamp) -> Vec<Incident> {
    (1..=NEWEST).map(|number| incident(ids, number, now)).collect()
}

fn incident(ids: &mut Ids, number: u64, now: Timestamp) -> Incident {
    let age = i64::try_from(NEWEST - number).unwrap_or(0) * HOURS_APART * 3_600 + 600;
    let created = before(now, age);
    let (title, state, severity) = match number {
        5 => ("checkout answers 5xx after a deployment", "active", "SEV-3"),
        117 => ("nginx-deployment: pods in ImagePullBackOff after a rollout", "active", "SEV-2"),
        118..=NEWEST => (story(number), "active", "SEV-4"),
        116 => (story(number), "stable", "SEV-3"),
        _ => (story(number), "resolved", "SEV-4"),
    };
    let mut incident = Incident::new(number, ids.uuid(), title, created);
    incident.set_field("state", state);
    incident.set_field("severity", severity);
    incident.is_deleted = DELETED.contains(&number);
    if state == "resolved" {
        let resolved = before(now, age - 2 * 3_600);
        incident.resolved = Some(resolved);
        incident.modified = resolved;
    }
    let declared = Cell::own(ids.uuid(), "incident_status_change", "", created);
    let note = Cell::own(ids.uuid(), "markdown", "Declared by the monitor.", created);
    incident.timeline = vec![declared, note];
    incident
}

fn story(number: u64) -> &'static str {
    let index = usize::try_from(number).unwrap_or(0) % STORIES.len();
    STORIES[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_from_1_to_120_and_the_open_ones_exist() {
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().expect("a time");
        let all = incidents(&mut Ids::seeded(), now);

        assert_eq!(all.len(), 120);
        assert!(all.windows(2).all(|pair| pair[0].public_id + 1 == pair[1].public_id));
        assert!(all.windows(2).all(|pair| pair[0].created < pair[1].created));
        for open in [5, 117] {
            let incident = &all[open - 1];
            assert!(!incident.is_deleted && incident.field("state") == "active");
        }
        assert_eq!(all.iter().filter(|incident| incident.is_deleted).count(), DELETED.len());
        assert_eq!(all[4].id, incidents(&mut Ids::seeded(), now)[4].id);
    }
}

//! The difference of two pictures, in words: one line for each thing that changed.

use super::{IncidentPicture, Picture, WorkloadPicture};
use std::collections::BTreeMap;

/// The longest part of a text that a line quotes, in characters.
const QUOTED_CHARACTERS_MAX: usize = 120;

impl Picture {
    /// What changed since `before`: workloads, other objects, incidents, events. Empty when
    /// nothing did. For people; the wording may change.
    #[must_use]
    pub fn changes_since(&self, before: &Picture) -> Vec<String> {
        let mut lines = Vec::new();
        workloads(&before.workloads, &self.workloads, &mut lines);
        objects(&before.objects, &self.objects, &mut lines);
        incidents(&before.incidents, &self.incidents, &mut lines);
        let new = self.events.get(before.events.len()..).unwrap_or(&self.events);
        lines.extend(new.iter().map(|title| format!("event posted: {}", quoted(title))));
        lines.extend(self.messages.get(before.messages.len()..).unwrap_or(&self.messages).to_vec());
        lines
    }
}

fn workloads(before: &[WorkloadPicture], after: &[WorkloadPicture], lines: &mut Vec<String>) {
    let place = |workload: &WorkloadPicture| {
        (workload.namespace.clone(), workload.kind.clone(), workload.name.clone())
    };
    let old: BTreeMap<_, _> = before.iter().map(|workload| (place(workload), workload)).collect();
    let new: BTreeMap<_, _> = after.iter().map(|workload| (place(workload), workload)).collect();
    for (place, workload) in &new {
        match old.get(place) {
            None => lines.push(format!("{}: created, {}", title(workload), state(workload, None))),
            Some(old) if old == workload => {}
            Some(old) => lines.push(format!(
                "{}: {} → {}",
                title(workload),
                state(old, None),
                state(workload, Some(old))
            )),
        }
    }
    let gone = old.iter().filter(|(place, _)| !new.contains_key(*place));
    lines.extend(gone.map(|(_, workload)| format!("{}: deleted", title(workload))));
}

fn title(workload: &WorkloadPicture) -> String {
    let place = match workload.namespace.as_str() {
        "default" => String::new(),
        namespace => format!(" in {namespace}"),
    };
    format!("{} {}{place}", workload.kind, workload.name)
}

/// `revision 3 = the template of revision 1 (nginx:1.25, 3/3 ready)`.
fn state(workload: &WorkloadPicture, before: Option<&WorkloadPicture>) -> String {
    let revision = match workload.revision {
        Some(number) => format!("revision {number}"),
        None => "no revision".to_owned(),
    };
    let is_new = before.is_none_or(|before| before.revision != workload.revision);
    let came_back = match workload.template_of {
        Some(number) if is_new => format!(" = the template of revision {number}"),
        _ => String::new(),
    };
    let images = workload.images.join(", ");
    let paused = if workload.paused { ", paused" } else { "" };
    let (ready, desired) = (workload.ready, workload.desired);
    format!("{revision}{came_back} ({images}, {ready}/{desired} ready{paused})")
}

fn objects(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    lines: &mut Vec<String>,
) {
    for (place, version) in after {
        match before.get(place) {
            None => lines.push(format!("{place}: created")),
            Some(old) if old != version => lines.push(format!("{place}: changed")),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|place| !after.contains_key(*place));
    lines.extend(gone.map(|place| format!("{place}: deleted")));
}

fn incidents(before: &[IncidentPicture], after: &[IncidentPicture], lines: &mut Vec<String>) {
    let old: BTreeMap<_, _> = before.iter().map(|incident| (&incident.id, incident)).collect();
    let new: BTreeMap<_, _> = after.iter().map(|incident| (&incident.id, incident)).collect();
    for incident in after {
        let title = format!("incident IR-{} {}", incident.public_id, quoted(&incident.title));
        let Some(old) = old.get(&incident.id) else {
            lines.push(format!("{title}: created"));
            cells(&title, &[], &incident.cells, lines);
            continue;
        };
        if old.title != incident.title {
            lines.push(format!("{title}: its title was {}", quoted(&old.title)));
        }
        for (what, was, is) in [
            ("state", &old.state, &incident.state),
            ("severity", &old.severity, &incident.severity),
        ] {
            if was != is {
                lines.push(format!("{title}: {what} {was} → {is}"));
            }
        }
        cells(&title, &old.cells, &incident.cells, lines);
    }
    let gone = before.iter().filter(|incident| !new.contains_key(&incident.id));
    lines.extend(gone.map(|incident| format!("incident IR-{}: deleted", incident.public_id)));
}

fn cells(
    title: &str,
    before: &[(String, String)],
    after: &[(String, String)],
    lines: &mut Vec<String>,
) {
    for (id, message) in after {
        match before.iter().find(|(old, _)| old == id) {
            None => lines.push(format!("{title}: +1 timeline cell: {}", quoted(message))),
            Some((_, old)) if old != message => {
                lines.push(format!("{title}: a timeline cell now says {}", quoted(message)));
            }
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(id, _)| !after.iter().any(|(new, _)| new == id)).count();
    if gone > 0 {
        lines.push(format!("{title}: -{gone} timeline cells"));
    }
}

fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

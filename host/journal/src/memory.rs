//! A journal that ends with the process: for tests, drills and measurements.
//!
//! It keeps the same promises as the one on disk, except that nothing survives. Nothing waits
//! here, so what is queued is written at once.

use crate::chain::{Hash, Sealed, seal};
use crate::{
    Claim, Event, Journal, JournalError, Owner, Recorded, Request, RunId, RunStatus, RunSummary,
};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remembers events until it is dropped.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    runs: HashMap<RunId, Run>,
    /// In the order in which they began.
    order: Vec<RunId>,
}

#[derive(Debug)]
struct Run {
    /// Its place in `Kept::order`.
    place: usize,
    workflow: String,
    status: RunStatus,
    started_at: i64,
    finished_at: Option<i64>,
    epoch: u64,
    owner: Option<Owner>,
    events: Vec<Recorded>,
    requests: Vec<Request>,
}

impl MemoryJournal {
    /// Poison is ignored: each change below is complete before anything in it can panic.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn run(&mut self, run: &RunId) -> Result<&mut Run, JournalError> {
        self.runs.get_mut(run).ok_or_else(|| JournalError::Unknown { run: run.clone() })
    }

    fn claimed(&mut self, claim: &Claim) -> Result<&mut Run, JournalError> {
        let run = self.run(&claim.run)?;
        if run.epoch == claim.epoch {
            Ok(run)
        } else {
            Err(JournalError::Outdated { run: claim.run.clone() })
        }
    }
}

impl Run {
    fn write(&mut self, events: Vec<Event>) -> i64 {
        let last = self.events.last().map_or(i64::MIN, |recorded| recorded.at);
        let at = now().max(last);
        for event in events {
            if let Some(status) = event.run_status() {
                self.status = status;
                self.finished_at = status.is_final().then_some(at);
            }
            let position = self.events.len() as u64;
            self.events.push(Recorded { position, at, event });
        }
        at
    }

    fn summary(&self, run: &RunId) -> RunSummary {
        RunSummary {
            run: run.clone(),
            workflow: self.workflow.clone(),
            status: self.status,
            started_at: self.started_at,
            finished_at: self.finished_at,
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn create(
        &self,
        run: &RunId,
        owner: &Owner,
        first: Event,
    ) -> Result<Claim, JournalError> {
        let workflow = first.workflow_of_start(run)?.to_owned();
        let mut kept = self.kept();
        if kept.runs.contains_key(run) {
            return Err(JournalError::Exists { run: run.clone() });
        }
        let mut new = Run {
            place: kept.order.len(),
            workflow,
            status: RunStatus::Running,
            started_at: 0,
            finished_at: None,
            epoch: 1,
            owner: Some(owner.clone()),
            events: Vec::new(),
            requests: Vec::new(),
        };
        new.started_at = new.write(vec![first]);
        kept.runs.insert(run.clone(), new);
        kept.order.push(run.clone());
        Ok(Claim { run: run.clone(), epoch: 1 })
    }

    async fn claim(
        &self,
        run: &RunId,
        owner: &Owner,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
    ) -> Result<Claim, JournalError> {
        let mut kept = self.kept();
        let found = kept.run(run)?;
        if let Some(by) = found.owner.as_ref().filter(|by| *by != owner && !gone(by)) {
            return Err(JournalError::Held { run: run.clone(), by: by.clone() });
        }
        found.epoch += 1;
        found.owner = Some(owner.clone());
        Ok(Claim { run: run.clone(), epoch: found.epoch })
    }

    async fn append(&self, claim: &Claim, events: Vec<Event>) -> Result<i64, JournalError> {
        Ok(self.kept().claimed(claim)?.write(events))
    }

    fn queue(&self, claim: &Claim, events: Vec<Event>) {
        if let Ok(run) = self.kept().claimed(claim) {
            run.write(events);
        }
    }

    async fn release(&self, claim: &Claim) -> Result<(), JournalError> {
        let mut kept = self.kept();
        let run = kept.claimed(claim)?;
        run.owner = None;
        run.epoch += 1;
        Ok(())
    }

    async fn events(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, JournalError> {
        let kept = self.kept();
        let events = kept.runs.get(run).map_or(&[][..], |run| &run.events);
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(events.len());
        Ok(events[from..].iter().take(most).cloned().collect())
    }

    async fn sealed(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<Sealed>, JournalError> {
        let kept = self.kept();
        let events = kept.runs.get(run).map_or(&[][..], |run| &run.events);
        let (mut previous, mut page) = (Hash::ORIGIN, Vec::new());
        for recorded in events {
            if page.len() == most {
                break;
            }
            let sealed = sealed(run, previous, recorded)?;
            previous = sealed.hash.unwrap_or(previous);
            if recorded.position >= from {
                page.push(sealed);
            }
        }
        Ok(page)
    }

    async fn runs(
        &self,
        before: Option<&RunId>,
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError> {
        let mut kept = self.kept();
        let end = match before {
            Some(before) => kept.run(before)?.place,
            None => kept.order.len(),
        };
        let older = kept.order[..end].iter().rev().take(most);
        Ok(older.filter_map(|run| Some(kept.runs.get(run)?.summary(run))).collect())
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError> {
        Ok(self.kept().runs.get(run).map(|found| found.summary(run)))
    }

    async fn ask(&self, run: &RunId, request: Request) -> Result<u64, JournalError> {
        let mut kept = self.kept();
        let found = kept.run(run)?;
        found.requests.push(request);
        Ok(found.requests.len() as u64)
    }

    async fn requests(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Request)>, JournalError> {
        let kept = self.kept();
        let all = kept.runs.get(run).map_or(&[][..], |run| &run.requests);
        let numbered = (1..).zip(all.iter().cloned());
        Ok(numbered.filter(|(number, _)| *number > after).collect())
    }
}

/// Nothing that is kept here can be touched from outside, so the chain is made when someone asks
/// for it and costs a run in memory nothing.
fn sealed(run: &RunId, previous: Hash, recorded: &Recorded) -> Result<Sealed, JournalError> {
    let Recorded { position, at, event } = recorded;
    let body = serde_json::to_vec(event).map_err(|cause| JournalError::Storage {
        action: "read an event of",
        path: "memory".to_owned(),
        source: cause.into(),
    })?;
    let hash = Some(seal(run.as_str(), previous, *position, *at, &body));
    Ok(Sealed { position: *position, at: *at, body, hash })
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::conforms!(conformance, ((), MemoryJournal::default()));
}

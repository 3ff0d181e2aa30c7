//! A journal that ends with the process: for tests, drills and measurements.
//!
//! It keeps the same promises as the one on disk, except that nothing survives. Nothing waits
//! here, so what is queued is written at once.

use crate::chain::{Hash, Sealed, seal};
use crate::question::Asked;
use crate::{
    Batch, Claim, Created, Decided, Decision, Event, Journal, JournalError, Owner, Pruned,
    Recorded, Request, RunId, RunStatus, RunSummary,
};
use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use workflow::StepName;

/// Remembers events until it is dropped.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    runs: HashMap<RunId, Run>,
    /// In the order in which they began, by numbers that are never given twice.
    order: BTreeMap<u64, RunId>,
    /// The number of the newest.
    newest: u64,
}

#[derive(Debug)]
struct Run {
    /// Its number in `Kept::order`.
    place: u64,
    workflow: String,
    status: RunStatus,
    started_at: i64,
    finished_at: Option<i64>,
    epoch: u64,
    owner: Option<Owner>,
    events: Vec<Recorded>,
    requests: Vec<Request>,
    replies: HashMap<String, Vec<u8>>,
    questions: HashMap<StepName, Asked>,
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
    fn write(&mut self, batch: Batch) -> i64 {
        let last = self.events.last().map_or(i64::MIN, |recorded| recorded.at);
        let at = now().max(last);
        self.replies.extend(batch.replies.into_iter().map(|reply| (reply.digest, reply.bytes)));
        for event in batch.events {
            if let Some(status) = event.run_status() {
                self.status = status;
                self.finished_at = status.is_final().then_some(at);
                if status == RunStatus::Success {
                    self.replies.clear();
                }
            }
            if let Some((step, question)) = event.asks() {
                self.questions.insert(step.clone(), Asked::new(question.clone()));
            }
            if let Some((step, verdict, by)) = event.answers()
                && let Some(asked) = self.questions.get_mut(step)
            {
                asked.take_in(verdict, by);
            }
            let position = self.events.len() as u64;
            self.events.push(Recorded { position, at, event });
        }
        if batch.last {
            self.owner = None;
            self.epoch += 1;
        }
        at
    }

    /// Whether a person has answered what it waits for, or nobody can any more.
    fn has_answer(&self, now: i64) -> bool {
        self.questions.values().any(|asked| asked.has_news(now))
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
    ) -> Result<Created, JournalError> {
        let workflow = first.workflow_of_start(run)?.to_owned();
        let mut kept = self.kept();
        if kept.runs.contains_key(run) {
            return Err(JournalError::Exists { run: run.clone() });
        }
        kept.newest += 1;
        let mut new = Run {
            place: kept.newest,
            workflow,
            status: RunStatus::Running,
            started_at: 0,
            finished_at: None,
            epoch: 1,
            owner: Some(owner.clone()),
            events: Vec::new(),
            requests: Vec::new(),
            replies: HashMap::new(),
            questions: HashMap::new(),
        };
        let at = new.write(vec![first].into());
        new.started_at = at;
        kept.order.insert(new.place, run.clone());
        kept.runs.insert(run.clone(), new);
        Ok(Created { claim: Claim { run: run.clone(), epoch: 1 }, at })
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

    async fn append_batch(&self, claim: &Claim, batch: Batch) -> Result<i64, JournalError> {
        Ok(self.kept().claimed(claim)?.write(batch))
    }

    fn queue_batch(&self, claim: &Claim, batch: Batch) {
        if let Ok(run) = self.kept().claimed(claim) {
            run.write(batch);
        }
    }

    async fn heartbeat(
        &self,
        claim: &Claim,
        after: u64,
    ) -> Result<Vec<(u64, Request)>, JournalError> {
        let mut kept = self.kept();
        Ok(requests_above(&kept.claimed(claim)?.requests, after))
    }

    async fn reap(
        &self,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError> {
        let (kept, now) = (self.kept(), now());
        let runs = kept.order.values().filter_map(|name| Some((name, kept.runs.get(name)?)));
        let free = runs.filter(|(_, run)| match run.status {
            RunStatus::Running => run.owner.as_ref().is_none_or(gone),
            RunStatus::Waiting => run.owner.as_ref().is_none_or(gone) && run.has_answer(now),
            _ => false,
        });
        Ok(free.take(most).map(|(name, run)| run.summary(name)).collect())
    }

    async fn reply(&self, run: &RunId, digest: &str) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.kept().runs.get(run).and_then(|run| run.replies.get(digest).cloned()))
    }

    async fn decide(&self, run: &RunId, decision: Decision) -> Result<Decided, JournalError> {
        let mut kept = self.kept();
        let found = kept.run(run)?;
        let decided = match found.questions.get_mut(&decision.step) {
            Some(asked) if !found.status.is_final() => asked.decide(&decision, now()),
            Some(_) | None => Decided::NotAsked,
        };
        if matches!(decided, Decided::Counted { .. }) {
            found.requests.push(Request::Decide { decision });
        }
        Ok(decided)
    }

    async fn prune(&self, before: i64, try_only: bool) -> Result<Pruned, JournalError> {
        let mut kept = self.kept();
        let old = |run: &Run| run.finished_at.is_some_and(|at| at < before);
        let names: Vec<RunId> =
            kept.runs.iter().filter(|(_, run)| old(run)).map(|(name, _)| name.clone()).collect();
        let mut pruned = Pruned::default();
        for name in names {
            let Some(run) = kept.runs.get(&name) else { continue };
            pruned.runs += 1;
            pruned.events += run.events.len() as u64;
            if !try_only {
                let place = run.place;
                kept.order.remove(&place);
                kept.runs.remove(&name);
            }
        }
        Ok(pruned)
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
            None => u64::MAX,
        };
        let older = kept.order.range(..end).rev().take(most);
        Ok(older.filter_map(|(_, run)| Some(kept.runs.get(run)?.summary(run))).collect())
    }

    async fn owner(&self, run: &RunId) -> Result<Option<Owner>, JournalError> {
        Ok(self.kept().runs.get(run).and_then(|found| found.owner.clone()))
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
        Ok(requests_above(all, after))
    }
}

fn requests_above(all: &[Request], after: u64) -> Vec<(u64, Request)> {
    let numbered = (1..).zip(all.iter().cloned());
    numbered.filter(|(number, _)| *number > after).collect()
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

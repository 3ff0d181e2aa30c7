//! A journal in one SQLite file, the default of the program.
//!
//! One thread of its own writes, readers have connections of their own, and the file may be
//! open in several processes. What a write means is in [`job`], when it is committed in
//! [`writer`], what the file looks like in [`schema`]; this file only carries questions and
//! answers between them and the async world.

mod ballast;
mod job;
mod marks;
mod read;
mod schema;
pub(crate) mod verify;
mod writer;

use crate::audit::{Defect, Finding, Which};
use crate::chain::Sealed;
use crate::memory;
use crate::{
    Batch, Claim, Created, Decided, Decision, Event, Journal, JournalError, Owner, Pruned,
    Recorded, Request, RunId, RunSummary,
};
use async_trait::async_trait;
use ballast::Ballast;
use job::{Done, Entry, Job, Pages, Work};
use marks::{Marks, MarksReader};
use read::Readers;
use rusqlite::ErrorCode;
use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::oneshot;
use writer::Writer;

/// What to do about a damaged file.
const USE_A_BACKUP: &str =
    "the file is damaged, use a backup; `bowline audit verify` tells what is lost";

/// What to do where the system lets somebody read and not write.
const NOT_YOURS: &str = "this user may not write to it, or to the file with `-wal` behind its name; \
    those who share a journal need the right to write to its folder and to all files in it";

/// Remembers events in a SQLite file.
///
/// WAL with `synchronous=FULL`: what was appended survives a power cut. Appends that wait at
/// the same time share one commit, over all runs. Dropping it waits for the last commit. Beside
/// the file, one with `.marks` behind its name notes how far each run has come; without it the
/// journal works all the same, and the check of [`crate::audit`] proves less.
pub struct SqliteJournal {
    path: Arc<str>,
    file: PathBuf,
    readers: Arc<Readers>,
    // Behind the readers, so that it is dropped last: the last connection to close tidies the
    // file up, and only the writer knows whether it may.
    writer: Writer,
}

impl SqliteJournal {
    /// Opens the journal at `path`, and makes it (mode 0600) and its folder (0700) if they are
    /// not there. Blocks for as long as another process makes the same file, 10 seconds at most.
    ///
    /// # Errors
    ///
    /// [`JournalError::Newer`] if a later version has written it, [`JournalError::Foreign`] if
    /// it is something else, [`JournalError::Storage`] if the file can't be made or opened.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let shown: Arc<str> = path.display().to_string().into();
        // An absolute path, because SQLite gives `:memory:` and an empty name a meaning.
        let absolute = std::path::absolute(path).map_err(|cause| storage("open", &shown, cause))?;
        let ballast = Ballast::beside(&absolute);
        let connection = schema::open(&absolute, &shown, &ballast)?;
        ballast.take();
        let marks = Marks::beside(&absolute);
        let writer = Writer::start(connection, marks, ballast, Arc::clone(&shown))
            .map_err(|cause| storage("start the writer of", &shown, cause))?;
        let readers = Arc::new(Readers::new(absolute.clone(), Arc::clone(&shown)));
        Ok(Self { path: shown, file: absolute, writer, readers })
    }

    /// Hands `work` to the writer and waits until it is committed.
    async fn perform(&self, work: Work) -> Result<Done, JournalError> {
        let (reply, answer) = oneshot::channel();
        if self.writer.send(Job { work, reply: Some(reply) })
            && let Ok(answer) = answer.await
        {
            return answer;
        }
        Err(storage("write to", &self.path, "its writer has ended"))
    }

    /// The same, for work that comes to a number.
    async fn write(&self, work: Work) -> Result<i64, JournalError> {
        match self.perform(work).await? {
            Done::Number(number) => Ok(number),
            Done::Decided(_) | Done::Pruned(_) => Ok(0),
        }
    }

    /// Runs `question` on a reader's connection, where it may block.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&rusqlite::Connection) -> Result<T, read::Fault> + Send + 'static,
    ) -> Result<T, JournalError> {
        let readers = Arc::clone(&self.readers);
        let answer = tokio::task::spawn_blocking(move || readers.ask(question)).await;
        answer.unwrap_or_else(|cause| Err(storage("read", &self.path, cause)))
    }

    async fn holder(&self, run: &RunId) -> Result<read::Holder, JournalError> {
        let asked = run.clone();
        let holder = self.read(move |connection| read::holder(connection, &asked)).await?;
        holder.ok_or_else(|| JournalError::Unknown { run: run.clone() })
    }

    /// Whoever goes on with a run that has lost its newest events would do again what it did, and
    /// with one whose events were changed would do something else.
    async fn refuse_if_damaged(&self, run: &RunId) -> Result<(), JournalError> {
        let (file, which) = (self.file.clone(), Which::Named(run.clone()));
        let check = move || {
            let mut first = None;
            let done = verify::verify(&file, &which, &mut |finding| {
                first.get_or_insert(finding);
            });
            done.map(|_| first)
        };
        let checked = tokio::task::spawn_blocking(check).await;
        let found = checked.map_err(|cause| storage("check", &self.path, cause))??;
        let Some(Finding { position, defect, .. }) = found else { return Ok(()) };
        if let (Defect::TailLost { .. }, Some(position)) = (&defect, position) {
            return Err(JournalError::Missing { run: run.clone(), position });
        }
        let place = position.map_or_else(String::new, |position| format!("event {position} of "));
        let cause = format!("{place}run {run} is not as it was written; {USE_A_BACKUP}");
        Err(storage("go on with a run of", &self.path, cause))
    }

    fn entries(&self, events: &[Event]) -> Result<Vec<Entry>, JournalError> {
        let entries = events.iter().map(Entry::new).collect::<Result<_, _>>();
        entries.map_err(|cause| storage("put an event into", &self.path, cause))
    }

    fn pages(&self, batch: Batch) -> Result<Pages, JournalError> {
        Pages::new(batch).map_err(|cause| storage("put an event into", &self.path, cause))
    }

    fn json(&self, value: &impl serde::Serialize) -> Result<String, JournalError> {
        serde_json::to_string(value).map_err(|cause| storage("write to", &self.path, cause))
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn create(
        &self,
        run: &RunId,
        owner: &Owner,
        first: Event,
    ) -> Result<Created, JournalError> {
        let workflow = first.workflow_of_start(run)?.to_owned();
        let owner = self.json(owner)?;
        let entries = self.entries(&[first])?;
        let at = self.write(Work::Create { run: run.clone(), workflow, owner, entries }).await?;
        Ok(Created { claim: Claim { run: run.clone(), epoch: 1 }, at })
    }

    async fn claim(
        &self,
        run: &RunId,
        owner: &Owner,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
    ) -> Result<Claim, JournalError> {
        let new_owner = self.json(owner)?;
        loop {
            let mut holder = self.holder(run).await?;
            if let Some(by) = holder.owner.take().filter(|by| by != owner && !gone(by)) {
                return Err(JournalError::Held { run: run.clone(), by });
            }
            self.refuse_if_damaged(run).await?;
            let seen = holder.epoch;
            let work = Work::Claim { run: run.clone(), owner: new_owner.clone(), seen };
            match self.write(work).await? {
                // Another process was faster between the look and the write: look again.
                0 => continue,
                epoch => return Ok(Claim { run: run.clone(), epoch: unsigned(epoch) }),
            }
        }
    }

    async fn append_batch(&self, claim: &Claim, batch: Batch) -> Result<i64, JournalError> {
        let pages = self.pages(batch)?;
        self.write(Work::Append { claim: claim.clone(), pages }).await
    }

    fn queue_batch(&self, claim: &Claim, batch: Batch) {
        if let Ok(pages) = self.pages(batch) {
            let work = Work::Append { claim: claim.clone(), pages };
            // If the writer has ended, the next append says so.
            self.writer.send(Job { work, reply: None });
        }
    }

    async fn heartbeat(
        &self,
        claim: &Claim,
        after: u64,
    ) -> Result<Vec<(u64, Request)>, JournalError> {
        // A process on this machine that lives is not taken for gone, so there is nothing to renew.
        let asked = claim.clone();
        let beat = self.read(move |connection| read::heartbeat(connection, &asked, after)).await?;
        beat.ok_or_else(|| JournalError::Outdated { run: claim.run.clone() })
    }

    async fn reap(
        &self,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError> {
        let open = self.read(|connection| read::open_runs(connection, memory::now())).await?;
        let free = open.into_iter().filter(|(_, owner)| owner.as_ref().is_none_or(gone));
        Ok(free.map(|(summary, _)| summary).take(most).collect())
    }

    async fn reply(&self, run: &RunId, digest: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let (run, digest) = (run.clone(), digest.to_owned());
        self.read(move |connection| read::reply(connection, &run, &digest)).await
    }

    async fn decide(&self, run: &RunId, decision: Decision) -> Result<Decided, JournalError> {
        match self.perform(Work::Decide { run: run.clone(), decision }).await? {
            Done::Decided(decided) => Ok(decided),
            Done::Number(_) | Done::Pruned(_) => Ok(Decided::NotAsked),
        }
    }

    async fn prune(&self, before: i64, try_only: bool) -> Result<Pruned, JournalError> {
        match self.perform(Work::Prune { before, try_only }).await? {
            Done::Pruned(pruned) => Ok(pruned),
            Done::Number(_) | Done::Decided(_) => Ok(Pruned::default()),
        }
    }

    async fn release(&self, claim: &Claim) -> Result<(), JournalError> {
        self.write(Work::Release { claim: claim.clone() }).await.map(|_| ())
    }

    async fn events(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, JournalError> {
        let run = run.clone();
        self.read(move |connection| read::events(connection, &run, from, most)).await
    }

    async fn sealed(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<Sealed>, JournalError> {
        let run = run.clone();
        self.read(move |connection| read::sealed(connection, &run, from, most)).await
    }

    async fn runs(
        &self,
        before: Option<&RunId>,
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError> {
        let before = before.cloned();
        self.read(move |connection| read::runs(connection, before.as_ref(), most)).await
    }

    async fn owner(&self, run: &RunId) -> Result<Option<Owner>, JournalError> {
        let run = run.clone();
        let holder = self.read(move |connection| read::holder(connection, &run)).await?;
        Ok(holder.and_then(|holder| holder.owner))
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError> {
        let (asked, marks) = (run.clone(), self.file.clone());
        let found = move |connection: &rusqlite::Connection| {
            let found = read::run(connection, &asked)?;
            // A run that was marked and is not there was not unknown: it is lost.
            let lost = found.is_none()
                && MarksReader::beside(&marks)
                    .is_ok_and(|marks| marks.is_some_and(|marks| marks.remembers(asked.as_str())));
            match lost {
                true => Err(read::Fault::Known(JournalError::Missing { run: asked, position: 0 })),
                false => Ok(found),
            }
        };
        self.read(found).await
    }

    async fn ask(&self, run: &RunId, request: Request) -> Result<u64, JournalError> {
        let body = self.json(&request)?;
        self.write(Work::Ask { run: run.clone(), body }).await.map(unsigned)
    }

    async fn requests(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Request)>, JournalError> {
        let run = run.clone();
        self.read(move |connection| read::requests(connection, &run, after)).await
    }
}

impl fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteJournal").field("path", &self.path).finish_non_exhaustive()
    }
}

fn storage(
    action: &'static str,
    path: &str,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> JournalError {
    JournalError::Storage { action, path: path.to_owned(), source: source.into() }
}

/// What the database says, and what to do where it says that the file is damaged.
fn database(
    action: &'static str,
    path: &str,
    cause: impl Borrow<rusqlite::Error> + Into<Box<dyn Error + Send + Sync>>,
) -> JournalError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    let known: &rusqlite::Error = cause.borrow();
    let damaged = matches!(
        known.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    ) || matches!(
        known,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
    );
    if damaged {
        return storage(action, path, format!("{known}; {USE_A_BACKUP}"));
    }
    if known.sqlite_error_code() == Some(ErrorCode::ReadOnly) {
        return storage(action, path, NOT_YOURS);
    }
    storage(action, path, cause)
}

/// SQLite counts with a sign; what this room counts never has one.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

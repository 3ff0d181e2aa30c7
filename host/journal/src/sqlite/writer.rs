//! The one thread that writes, and when it commits.
//!
//! All jobs that wait are one transaction: a commit costs a flush of the disk however much is
//! in it. The thread ends when the journal is dropped, after the last job.

use super::ballast::{Ballast, is_full};
use super::job::{Done, Job, Stopped, Turn, Work};
use super::marks::Marks;
use super::{database, read, schema};
use crate::{JournalError, kill_points, memory};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::io;
use std::iter::once;
use std::slice;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long queued events wait for company. A person who follows the log does not see it; a
/// step that writes a line per millisecond causes 50 commits a second instead of 1,000.
const QUEUE_WAIT: Duration = Duration::from_millis(20);

/// How long the thread must have been idle before it flushes the marks of ended runs: whoever
/// waits for a run does not wait for that.
const IDLE_WAIT: Duration = Duration::from_millis(100);

/// The most jobs in one transaction, so that the first of them does not wait for long.
const JOBS_MAX: usize = 1024;

/// The most queued jobs that are kept for another try when the disk refuses them.
const KEPT_MAX: usize = 4096;

pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        marks: Marks,
        ballast: Ballast,
        path: Arc<str>,
    ) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let kept = Vec::new();
        let desk = Desk { connection, marks, ballast, path, inbox, kept, broken: None };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(|| desk.work())?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// False if the writer has ended.
    pub(super) fn send(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The closed channel is what ends the thread.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told to each one who waited; nobody waits any more.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Desk {
    connection: Connection,
    marks: Marks,
    ballast: Ballast,
    path: Arc<str>,
    inbox: Receiver<Job>,
    /// Queued jobs that the disk has refused; they go first in the next transaction.
    kept: Vec<Job>,
    /// Why nothing is written any more.
    broken: Option<Arc<rusqlite::Error>>,
}

type Answer = Result<Done, JournalError>;

/// Why a transaction came to nothing.
struct Fault {
    action: &'static str,
    cause: rusqlite::Error,
}

impl Fault {
    /// Whether the disk failed to take what it was given. What it has then nobody knows, and a
    /// flush that is tried again may say yes to pages that are lost.
    fn breaks_the_disk(&self) -> bool {
        self.cause.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) && !is_full(&self.cause)
    }

    /// Whether one job is to blame, so that the others may do better without it. Else it is
    /// the disk or the file, and no job would do better alone.
    fn blames_a_job(&self) -> bool {
        matches!(
            self.cause.sqlite_error_code(),
            Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
        )
    }
}

impl Desk {
    fn work(mut self) {
        while let Some(first) = self.next() {
            let jobs = self.gather(first);
            self.commit(jobs);
            self.marks.flush_if_due();
        }
        if !self.kept.is_empty() {
            let jobs = std::mem::take(&mut self.kept);
            self.commit(jobs);
        }
        self.marks.flush();
    }

    /// The next job. None when the journal is dropped.
    fn next(&mut self) -> Option<Job> {
        if self.marks.wants_flush() {
            match self.inbox.recv_timeout(IDLE_WAIT) {
                Err(RecvTimeoutError::Timeout) => self.marks.flush(),
                told => return told.ok(),
            }
        }
        self.inbox.recv().ok()
    }

    /// What was kept, `first`, and all that waits behind it. Waits a little for more if
    /// nobody is held up by that.
    fn gather(&mut self, first: Job) -> Vec<Job> {
        let until = Instant::now() + QUEUE_WAIT;
        let mut urgent = first.reply.is_some();
        let mut jobs = std::mem::take(&mut self.kept);
        jobs.push(first);
        while jobs.len() < JOBS_MAX {
            let wait = if urgent {
                Duration::ZERO
            } else {
                until.saturating_duration_since(Instant::now())
            };
            match self.inbox.recv_timeout(wait) {
                Ok(job) => {
                    urgent |= job.reply.is_some();
                    jobs.push(job);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        jobs
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        if let Some(cause) = &self.broken {
            let action = "write any more to";
            for job in jobs {
                tell(job, Err(database(action, &self.path, Arc::clone(cause))));
            }
            return;
        }
        match self.transact(&jobs) {
            Ok(answers) => {
                for (job, answer) in jobs.into_iter().zip(answers) {
                    match answer {
                        Ok(Done::Pruned(pruned)) if is_real_prune(&job) => {
                            let bytes = self.give_back();
                            tell(job, Ok(Done::Pruned(crate::Pruned { bytes, ..pruned })));
                        }
                        answer => tell(job, answer),
                    }
                }
            }
            Err(fault) if fault.blames_a_job() => self.commit_one_by_one(jobs),
            Err(fault) => self.refuse(jobs, fault),
        }
    }

    fn commit_one_by_one(&mut self, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            match self.transact(slice::from_ref(&job)) {
                Ok(mut answers) => {
                    if let Some(answer) = answers.pop() {
                        tell(job, answer);
                    }
                }
                // Trying this one again would not help, so not even a queued one is kept.
                Err(fault) if fault.blames_a_job() => {
                    tell(job, Err(database(fault.action, &self.path, fault.cause)));
                }
                // None behind it is written either: the order is a promise.
                Err(fault) => return self.refuse(once(job).chain(jobs), fault),
            }
        }
    }

    /// A full disk is asked once more when the ballast is gone.
    fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Answer>, Fault> {
        match self.transact_once(jobs) {
            Err(fault) if is_full(&fault.cause) && self.ballast.give_up() => {
                self.transact_once(jobs)
            }
            done => done,
        }
    }

    fn transact_once(&mut self, jobs: &[Job]) -> Result<Vec<Answer>, Fault> {
        let fault = |action| move |cause| Fault { action, cause };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault("get the right to write to"))?;
        // With the right to write in hand, no other process takes a place meanwhile.
        kill_points::reached("before-commit");
        let mut turn = Turn::new(memory::now(), self.marks.last_slot());
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            answers.push(match job.work.perform(&transaction, &mut turn) {
                Ok(done) => Ok(done),
                Err(Stopped::Refused(error)) => Err(error),
                Err(Stopped::Broken(cause)) => return Err(fault("write to")(cause)),
            });
        }
        // A mark that says so although the run is still there does no harm.
        self.marks.forget(&turn.forgotten);
        transaction.commit().map_err(fault("commit to"))?;
        kill_points::reached("after-commit");
        // Before anyone hears of it, so that what was acknowledged can't be lost unnoticed.
        let connection = &self.connection;
        self.marks.note(&turn.heads, |run, position| read::hash_at(connection, run, position));
        Ok(answers)
    }

    /// Gives the space of what was forgotten back to the machine. Gives the bytes.
    fn give_back(&self) -> u64 {
        let size = || -> rusqlite::Result<i64> {
            let number =
                |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            Ok(number("page_count")? * number("page_size")?)
        };
        let before = size().unwrap_or(0);
        // The runs are gone whether or not the file gets smaller: a full disk must not hide that.
        let _ = self.connection.execute_batch("VACUUM");
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let after = size().unwrap_or(before);
        u64::try_from(before.saturating_sub(after)).unwrap_or(0)
    }

    /// Tells those who wait, and keeps what was queued for another try.
    fn refuse(&mut self, jobs: impl IntoIterator<Item = Job>, fault: Fault) {
        let breaks = fault.breaks_the_disk();
        let cause = Arc::new(fault.cause);
        if breaks {
            self.broken = Some(Arc::clone(&cause));
            let _ = schema::leave_as_it_is(&self.connection);
        }
        for job in jobs {
            if job.reply.is_some() {
                tell(job, Err(database(fault.action, &self.path, Arc::clone(&cause))));
            } else if self.kept.len() < KEPT_MAX {
                self.kept.push(job);
            }
        }
    }
}

fn is_real_prune(job: &Job) -> bool {
    matches!(job.work, Work::Prune { try_only: false, .. })
}

/// Whoever does not wait any more does not need the answer.
fn tell(job: Job, answer: Answer) {
    if let Some(reply) = job.reply {
        let _ = reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::{Entry, Work};
    use super::*;
    use crate::conformance::start;
    use crate::{Claim, Event, Level, RunId};
    use rusqlite::ffi;
    use tempfile::TempDir;
    use tokio::sync::oneshot;

    /// A desk that nobody works at, with one run in its journal.
    fn desk() -> (TempDir, Desk, Sender<Job>, Claim) {
        let folder = tempfile::tempdir().expect("make a folder");
        let path = folder.path().join("runs.db");
        let Ok(connection) = schema::open(&path, "x", &Ballast::beside(&path)) else {
            panic!("open")
        };
        let (jobs, inbox) = mpsc::channel();
        let marks = Marks::beside(&path);
        let ballast = Ballast::beside(&path);
        let (path, kept) = ("x".into(), Vec::new());
        let mut desk = Desk { connection, marks, ballast, path, inbox, kept, broken: None };
        let (run, first) = start("w");
        let entries = vec![Entry::new(&first).expect("serialize")];
        let (workflow, owner) = ("w".to_owned(), "{}".to_owned());
        let work = Work::Create { run: run.clone(), workflow, owner, entries };
        desk.commit(vec![Job { work, reply: None }]);
        (folder, desk, jobs, Claim { run, epoch: 1 })
    }

    fn line(message: &str) -> Event {
        Event::StepLogged {
            step: "a".parse().expect("a name"),
            attempt: 1,
            level: Level::Info,
            message: message.to_owned(),
            fields: Vec::new(),
        }
    }

    fn queued(claim: &Claim, message: &str) -> Job {
        let entries = vec![Entry::new(&line(message)).expect("serialize")];
        Job { work: Work::Append { claim: claim.clone(), pages: entries.into() }, reply: None }
    }

    fn appended(claim: &Claim, message: &str) -> (Job, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        (Job { reply: Some(reply), ..queued(claim, message) }, answer)
    }

    fn written(desk: &Desk, run: &RunId) -> Vec<Event> {
        let Ok(events) = super::super::read::events(&desk.connection, run, 1, 100) else {
            panic!("read")
        };
        events.into_iter().map(|recorded| recorded.event).collect()
    }

    #[test]
    fn all_that_waits_becomes_one_transaction() {
        let (_folder, mut desk, inbox, claim) = desk();
        let mut answers = Vec::new();
        for number in 0..5 {
            let (job, answer) = appended(&claim, &number.to_string());
            assert!(inbox.send(job).is_ok());
            answers.push(answer);
        }
        let first = desk.inbox.recv().expect("a job");

        let jobs = desk.gather(first);
        assert_eq!(jobs.len(), 5);
        desk.commit(jobs);

        let times: Vec<Done> = answers
            .iter_mut()
            .map(|answer| answer.try_recv().expect("an answer").expect("written"))
            .collect();
        assert!(times.windows(2).all(|two| two[0] == two[1]), "{times:?}");
        assert_eq!(written(&desk, &claim.run).len(), 5);
    }

    #[test]
    fn a_queued_line_waits_for_company_but_nobody_waits_for_it() {
        let (_folder, mut desk, inbox, claim) = desk();
        let began = Instant::now();
        assert_eq!(desk.gather(queued(&claim, "alone")).len(), 1);
        assert!(began.elapsed() >= QUEUE_WAIT);

        let (urgent, _answer) = appended(&claim, "urgent");
        assert!(inbox.send(urgent).is_ok());
        assert_eq!(desk.gather(queued(&claim, "with company")).len(), 2);
    }

    #[test]
    fn a_full_disk_gets_the_ballast_before_anyone_hears_of_it() {
        let (folder, mut desk, _inbox, claim) = desk();
        let path = folder.path().join("runs.db.ballast");
        desk.ballast.take();
        assert!(path.exists());
        let used: i64 = desk
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .expect("count");
        desk.connection.pragma_update(None, "max_page_count", used).expect("set");
        let (job, mut answer) = appended(&claim, &"x".repeat(100_000));

        desk.commit(vec![job]);

        // The bound is not the disk's, so the room is not enough; that it was asked for shows.
        let error = answer.try_recv().expect("an answer").expect_err("no room");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert!(cause.contains("full"), "{cause}");
        assert!(!path.exists());
        assert!(desk.broken.is_none(), "a full disk is no broken one");
    }

    #[test]
    fn behind_a_flush_that_failed_nothing_is_written_any_more() {
        let (folder, mut desk, inbox, claim) = desk();
        let files = || {
            ["runs.db", "runs.db-wal", "runs.db.marks"]
                .map(|name| std::fs::read(folder.path().join(name)).unwrap_or_else(|_| Vec::new()))
        };
        let failure = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
        let cause = rusqlite::Error::SqliteFailure(failure, None);
        let (job, mut first) = appended(&claim, "fails");
        desk.refuse([queued(&claim, "kept"), job], Fault { action: "commit to", cause });
        let before = files();
        let (job, mut second) = appended(&claim, "later");

        let jobs = desk.gather(job);
        desk.commit(jobs);
        let (job, mut third) = appended(&claim, "the last");
        desk.kept.push(job);
        drop(inbox);
        desk.work();

        for answer in [&mut first, &mut second, &mut third] {
            let error = answer.try_recv().expect("an answer").expect_err("refused");
            assert!(matches!(error, JournalError::Storage { .. }), "{error:?}");
        }
        assert!(files() == before, "not a byte, and the log is not tidied up either");
    }

    #[test]
    fn what_was_queued_is_kept_until_the_disk_takes_it_and_nothing_overtakes_it() {
        let (_folder, mut desk, _inbox, claim) = desk();
        let pages = |desk: &Desk, most: i64| {
            desk.connection.pragma_update(None, "max_page_count", most).expect("set");
        };
        let used = desk.connection.pragma_query_value(None, "page_count", |row| row.get(0));
        pages(&desk, used.expect("count"));
        let large = "x".repeat(100_000);
        let (job, mut answer) = appended(&claim, "small");

        desk.commit(vec![queued(&claim, &large), job]);

        let error = answer.try_recv().expect("an answer").expect_err("no room");
        assert!(matches!(error, JournalError::Storage { .. }), "{error:?}");
        assert_eq!(written(&desk, &claim.run), []);
        assert_eq!(desk.kept.len(), 1);

        pages(&desk, i64::from(u32::MAX) - 1);
        let (job, mut answer) = appended(&claim, "later");
        let jobs = desk.gather(job);
        desk.commit(jobs);

        assert!(answer.try_recv().expect("an answer").is_ok());
        assert_eq!(written(&desk, &claim.run), [line(&large), line("later")]);
    }
}

//! What the file looks like, and how it is opened.
//!
//! Decides whether the file is ours at all before it changes a single byte of it.

use super::ballast::{Ballast, is_full};
use super::{USE_A_BACKUP, database, marks, storage};
use crate::JournalError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long a connection waits for other processes. Their commits take milliseconds, a
/// checkpoint of a large file on a slow disk takes seconds.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// How long another user's process may take from making a file to letting others write to it.
const OTHERS_WAIT: Duration = Duration::from_millis(100);

/// `BOWL`: tells our files from other people's.
const APPLICATION: i64 = 0x424f_574c;

/// What each version adds to the one before it; the file's `user_version` counts them.
const MIGRATIONS: &[&str] = &[
    // `chain` and `hash` are room for a hash chain over each run's events.
    "CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        workflow TEXT NOT NULL,
        status TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        finished_at INTEGER,
        epoch INTEGER NOT NULL,
        owner TEXT,
        events INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        chain BLOB
    ) STRICT;
    CREATE TABLE event (
        run INTEGER NOT NULL REFERENCES run(id),
        position INTEGER NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL,
        hash BLOB,
        UNIQUE (run, position)
    ) STRICT;
    CREATE TABLE request (
        run INTEGER NOT NULL REFERENCES run(id),
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (run, number)
    ) STRICT;",
    // The events of a run before this position are older than the chain and have no hash.
    "ALTER TABLE run ADD COLUMN chained_from INTEGER NOT NULL DEFAULT 0;
    UPDATE run SET chained_from = events;",
    // What calls came to, what people are asked, and which runs could go on.
    "CREATE TABLE reply (
        run INTEGER NOT NULL REFERENCES run(id),
        digest TEXT NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (run, digest)
    ) STRICT;
    CREATE TABLE question (
        run INTEGER NOT NULL REFERENCES run(id),
        step TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (run, step)
    ) STRICT;
    CREATE INDEX run_open ON run (id) WHERE status IN ('running', 'waiting');
    CREATE INDEX run_finished ON run (finished_at) WHERE finished_at IS NOT NULL;",
];

/// The version that brought the chain.
pub(super) const CHAINED: i64 = 2;

/// The version that brought the answers that are kept.
pub(super) const REPLIES: i64 = 3;

/// The newest version that is known here.
const KNOWN: i64 = MIGRATIONS.len() as i64;

/// What went wrong while opening.
enum Fault {
    Newer { found: i64 },
    Foreign,
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign,
            _ => Self::Sql(error),
        }
    }
}

/// Opens the file for the writer; makes it and its folder where they are missing, and brings
/// an older one up to date. On a full disk the ballast is given up for it.
pub(super) fn open(
    path: &Path,
    shown: &str,
    ballast: &Ballast,
) -> Result<Connection, JournalError> {
    make(path).map_err(|cause| storage("make", shown, cause))?;
    let prepared = match prepare(path) {
        Err(Fault::Sql(cause)) if is_full(&cause) && ballast.give_up() => prepare(path),
        prepared => prepared,
    };
    prepared.map_err(|fault| match fault {
        Fault::Newer { found } => {
            JournalError::Newer { path: shown.to_owned(), found, known: KNOWN }
        }
        Fault::Foreign if marks::path_beside(path).exists() => {
            storage("open", shown, format!("it was a journal, as its marks tell; {USE_A_BACKUP}"))
        }
        Fault::Foreign => JournalError::Foreign { path: shown.to_owned() },
        Fault::Sql(cause) if is_full(&cause) => {
            storage("open", shown, "its disk is full; make room there and try again")
        }
        Fault::Sql(cause) => database("open", shown, cause),
    })
}

/// Opens the file for one reader.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    leave_as_it_is(&connection)?;
    Ok(connection)
}

/// Opens the file for looking at it as it is: nothing is made, tidied up or brought up to date.
/// Also gives its version.
///
/// A file that can't be written to and that nobody has open is read as it stands, since SQLite
/// could not make the files beside it that it would need otherwise.
pub(super) fn open_untouched(path: &Path) -> Result<(Connection, i64), Untouched> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let look = |connection: Connection| -> Result<(Connection, i64), Fault> {
        connection.busy_timeout(BUSY_MAX)?;
        connection.set_prepared_statement_cache_capacity(32);
        let found = version_now(&connection)?;
        Ok((connection, found))
    };
    let opened = Connection::open_with_flags(path, flags).map_err(Fault::from).and_then(look);
    let opened = match opened {
        Err(Fault::Sql(cause)) if cannot_share(&cause) && fs::File::open(path).is_ok() => {
            if has_log(path) {
                return Err(Untouched::LogOutOfReach);
            }
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let frozen = Connection::open_with_flags(frozen_uri(path), flags);
            frozen.map_err(Fault::from).and_then(look)
        }
        opened => opened,
    };
    opened.map_err(|fault| match fault {
        Fault::Newer { found } => Untouched::Newer { found, known: KNOWN },
        Fault::Foreign => Untouched::Foreign,
        Fault::Sql(cause) => Untouched::Sql(cause),
    })
}

/// Why a file could not be looked at.
pub(super) enum Untouched {
    Newer {
        found: i64,
        known: i64,
    },
    Foreign,
    /// There are events in a log that can't be read without making a file beside it.
    LogOutOfReach,
    Sql(rusqlite::Error),
}

/// Whether SQLite misses the files beside the database and may not or can't make them.
fn cannot_share(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    ) || is_full(cause)
}

/// Whether there is a write-ahead log with something in it.
fn has_log(path: &Path) -> bool {
    let mut log = OsString::from(path);
    log.push("-wal");
    fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

fn frozen_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            // Writing into a text can't fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

/// Only what is made here gets a mode; an existing file keeps what its owner gave it.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Lets the connection end without tidying the file up, even if it is the last one.
pub(super) fn leave_as_it_is(connection: &Connection) -> rusqlite::Result<()> {
    tidy_up(connection, false)
}

fn tidy_up(connection: &Connection, tidies: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !tidies).map(|_| ())
}

/// Another user's process makes the files beside the database for itself alone and opens them to the
/// others a moment later. Whoever opens the journal in between may only read, with all connections
/// of the process: so this is the first one, and it is made anew until it may write, or until it is
/// clear that it may not.
fn prepare(path: &Path) -> Result<Connection, Fault> {
    let until = Instant::now() + OTHERS_WAIT;
    loop {
        let connection = prepare_once(path)?;
        // Somebody else who writes just now does not matter.
        connection.busy_timeout(Duration::ZERO)?;
        let begun = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
        connection.busy_timeout(BUSY_MAX)?;
        let only_reads =
            begun.is_err_and(|cause| cause.sqlite_error_code() == Some(ErrorCode::ReadOnly));
        if !only_reads || Instant::now() >= until {
            return Ok(connection);
        }
        drop(connection);
        thread::sleep(Duration::from_millis(5));
    }
}

fn prepare_once(path: &Path) -> Result<Connection, Fault> {
    let mut connection = connect(path)?;
    // What is not ours is not tidied up either: there may be something in its log.
    tidy_up(&connection, !has_log(path))?;
    version_now(&connection)?;
    tidy_up(&connection, true)?;
    write_ahead(&connection)?;
    make_durable(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// What a connection must be told each time, since the file does not keep it.
fn make_durable(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Answers that are kept no longer must not stay in the file.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// The file's version, 0 if it is empty. One that no program of ours leaves behind is foreign, so
/// that nobody takes its tables for those of another version.
///
/// A transaction, so that all answers are of one moment: another process may be making it.
fn version_now(connection: &Connection) -> Result<i64, Fault> {
    let transaction = connection.unchecked_transaction()?;
    version(&transaction)
}

fn version(connection: &Connection) -> Result<i64, Fault> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = number("user_version")?;
    if number("application_id")? == APPLICATION {
        return match found {
            ..=0 => Err(Fault::Foreign),
            1..=KNOWN if has_chained_from(connection)? == (found >= CHAINED) => Ok(found),
            1..=KNOWN => Err(Fault::Foreign),
            _ => Err(Fault::Newer { found }),
        };
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found == 0 && tables == 0 { Ok(0) } else { Err(Fault::Foreign) }
}

/// Whether the list of runs has the column that came with the chain.
fn has_chained_from(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info('run') WHERE name = 'chained_from'";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|columns| columns > 0)
}

/// Switching to WAL needs the file for itself, and SQLite does not wait for that by itself.
fn write_ahead(connection: &Connection) -> Result<(), Fault> {
    let until = Instant::now() + BUSY_MAX;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(_) => return Ok(()),
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < until =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    if version_now(connection)? == KNOWN {
        return Ok(());
    }
    // Looked at again inside the transaction: another process may be doing the same.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&transaction)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", KNOWN)?;
    transaction.commit()?;
    Ok(())
}

//! Room that is kept for a disk that has become full: a file beside the journal that holds nothing
//! and is given up when the journal has no room left to write.
//!
//! It is a help and no promise: where there is no room for it, or the file system can't reserve
//! any, the journal works without.

use rusqlite::{Error, ErrorCode, ffi};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most bytes that are kept: enough to bring many runs to a decent end.
const BYTES_MAX: u64 = 4 << 20;

/// The fewest: the end of one run, and of a request that it be cancelled.
const BYTES_MIN: u64 = 256 << 10;

/// Which part of the free space is kept at most.
const SHARE: u64 = 16;

/// Where less than so many times the ballast is free, it is not made: a disk that is nearly full
/// must not be filled by what is meant to help.
const ROOM: u64 = 4;

/// The file.
pub(super) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    /// That of the journal at `journal`. Touches nothing.
    pub(super) fn beside(journal: &Path) -> Self {
        let mut name = OsString::from(journal);
        name.push(".ballast");
        Self { path: PathBuf::from(name) }
    }

    /// Makes it, if it is not there and there is room.
    pub(super) fn take(&self) {
        // An empty one was left by a process that died while it made it.
        if fs::metadata(&self.path).is_ok_and(|file| file.len() > 0) {
            return;
        }
        let free = self.path.parent().and_then(|folder| statvfs(folder).ok());
        let free = free.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let Some(bytes) = size(free) else { return };
        if self.reserve(bytes).is_err() {
            let _ = fs::remove_file(&self.path);
        }
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file: File =
            options.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        Ok(fallocate(&file, FallocateFlags::empty(), 0, bytes)?)
    }

    /// Gives its room to the journal. False if there was none.
    pub(super) fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

/// How many bytes are kept where so many are free; None where that is too much.
fn size(free: u64) -> Option<u64> {
    let bytes = (free / SHARE).clamp(BYTES_MIN, BYTES_MAX);
    (free / ROOM >= bytes).then_some(bytes)
}

/// Whether the disk had no room for what was to be written.
///
/// SQLite says so plainly of its files, but for the index of its log, which all processes share:
/// that one's failure to grow looks like a broken disk.
pub(super) fn is_full(cause: &Error) -> bool {
    let extended = cause.sqlite_error().map(|error| error.extended_code);
    cause.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || extended == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn it_is_a_small_part_of_what_is_free() {
        const KIB: u64 = 1 << 10;
        assert_eq!(size(0), None);
        assert_eq!(size(1023 * KIB), None, "a disk that is nearly full");
        assert_eq!(size(1024 * KIB), Some(256 * KIB));
        assert_eq!(size(4096 * KIB), Some(256 * KIB));
        assert_eq!(size(16_384 * KIB), Some(1024 * KIB));
        assert_eq!(size(1 << 30), Some(4096 * KIB));
        assert_eq!(size(u64::MAX), Some(4096 * KIB));
    }

    #[test]
    fn it_is_made_once_given_up_once_and_made_again() {
        let folder = tempfile::tempdir().expect("make a folder");
        let ballast = Ballast::beside(&folder.path().join("runs.db"));
        let path = folder.path().join("runs.db.ballast");
        assert!(!ballast.give_up(), "there is none yet");

        ballast.take();
        let made = fs::metadata(&path).expect("look");
        ballast.take();
        let same = fs::metadata(&path).expect("look");

        assert!((BYTES_MIN..=BYTES_MAX).contains(&made.len()), "{made:?}");
        assert!(made.blocks() * 512 >= made.len(), "the room is really taken: {made:?}");
        assert_eq!(made.permissions().mode() & 0o777, 0o600);
        assert_eq!((made.ino(), made.len()), (same.ino(), same.len()));
        assert!(ballast.give_up());
        assert!(!path.exists() && !ballast.give_up());
        fs::write(&path, "").expect("leave an empty one");
        ballast.take();
        assert_eq!(fs::metadata(&path).expect("look").len(), made.len());
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let failure = |code| Error::SqliteFailure(ffi::Error::new(code), None);
        assert!(is_full(&failure(ffi::SQLITE_FULL)));
        assert!(is_full(&failure(ffi::SQLITE_IOERR_SHMSIZE)));
        assert!(!is_full(&failure(ffi::SQLITE_IOERR_FSYNC)));
        assert!(!is_full(&failure(ffi::SQLITE_IOERR_WRITE)));
        assert!(!is_full(&Error::InvalidQuery));
    }
}

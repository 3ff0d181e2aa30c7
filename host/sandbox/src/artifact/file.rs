//! Reads a file that may be a plugin: once, of bounded size, and never waiting for anybody.
//!
//! A pipe, a device or a folder with the right name is refused and not opened; what was opened is
//! looked at again, because the name may have come to mean something else in between.

use super::{ArtifactError, FILE_BYTES_MAX};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// What to do about a name that is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Go where it leads: a person wrote this path.
    Follow,
    /// Refuse it: the name was found in a folder, and where it leads was decided by whoever can
    /// write there.
    Refuse,
}

/// Reads a plugin's bytes: a regular file of at most [`FILE_BYTES_MAX`], read once.
///
/// # Errors
///
/// `plugin.unreadable`, `plugin.not-a-file`, `plugin.link`, `plugin.too-large`.
pub fn read_file(path: &Path, links: Links) -> Result<Vec<u8>, ArtifactError> {
    let unreadable = |error: io::Error| {
        ArtifactError::new("plugin.unreadable", format!("can't read `{}`: {error}", path.display()))
    };
    read_bounded(path, links, FILE_BYTES_MAX)?
        .ok_or_else(|| unreadable(io::Error::from(io::ErrorKind::NotFound)))
}

/// The same for at most `bytes_max`, and nothing for a file that is not there.
pub(crate) fn read_bounded(
    path: &Path,
    links: Links,
    bytes_max: u64,
) -> Result<Option<Vec<u8>>, ArtifactError> {
    let unreadable = |error: io::Error| {
        ArtifactError::new("plugin.unreadable", format!("can't read `{}`: {error}", path.display()))
    };
    // Asked before opening, because opening a device can have effects of its own.
    let before = match links {
        Links::Follow => std::fs::metadata(path),
        Links::Refuse => std::fs::symlink_metadata(path),
    };
    match before {
        Ok(before) => check_kind(path, &before)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let file = open(path, links).map_err(unreadable)?;
    check_kind(path, &file.metadata().map_err(unreadable)?)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        let (size, unit) = match bytes_max >> 20 {
            0 => (bytes_max >> 10, "KiB"),
            mib => (mib, "MiB"),
        };
        let message = format!("`{}` has more than {size} {unit}", path.display());
        return Err(ArtifactError::new("plugin.too-large", message));
    }
    Ok(Some(bytes))
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<(), ArtifactError> {
    if metadata.is_symlink() {
        let message = format!(
            "`{}` is a link, and a folder of plugins holds files only; copy the file there",
            path.display()
        );
        return Err(ArtifactError::new("plugin.link", message));
    }
    if !metadata.is_file() {
        let message = format!("`{}` is not a regular file", path.display());
        return Err(ArtifactError::new("plugin.not-a-file", message));
    }
    Ok(())
}

/// Opens without waiting for a writer, without becoming a terminal's owner, and without following
/// a link that has appeared since.
fn open(path: &Path, links: Links) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        if links == Links::Refuse {
            flags |= OFlags::NOFOLLOW;
        }
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    #[cfg(not(unix))]
    let _ = links;
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_are_read_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file.wasm"), b"bytes").unwrap();
        std::fs::create_dir(at("folder.wasm")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe.wasm")).status().unwrap();
        assert!(made.success());
        symlink(at("file.wasm"), at("link.wasm")).unwrap();
        symlink(at("loop.wasm"), at("loop.wasm")).unwrap();
        symlink("/etc/shadow", at("shadow.wasm")).unwrap();
        symlink("/dev/zero", at("zero.wasm")).unwrap();
        std::fs::hard_link(at("file.wasm"), at("hard.wasm")).unwrap();
        let cases = [
            ("file.wasm", Links::Refuse, Ok(())),
            ("hard.wasm", Links::Refuse, Ok(())),
            ("link.wasm", Links::Follow, Ok(())),
            ("link.wasm", Links::Refuse, Err("plugin.link")),
            ("loop.wasm", Links::Refuse, Err("plugin.link")),
            ("loop.wasm", Links::Follow, Err("plugin.unreadable")),
            ("shadow.wasm", Links::Refuse, Err("plugin.link")),
            ("folder.wasm", Links::Refuse, Err("plugin.not-a-file")),
            ("pipe.wasm", Links::Refuse, Err("plugin.not-a-file")),
            ("zero.wasm", Links::Follow, Err("plugin.not-a-file")),
            ("gone.wasm", Links::Follow, Err("plugin.unreadable")),
        ];
        for (name, links, expected) in cases {
            let found = read_file(&at(name), links).map(drop).map_err(|error| error.code);
            assert_eq!(found, expected, "{name} {links:?}");
        }
    }

    #[test]
    fn a_name_that_becomes_a_pipe_or_a_link_after_the_first_look_is_refused_by_the_second() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = folder.path().join("link");
        symlink("/etc/hostname", &link).unwrap();

        let opened = open(&pipe, Links::Refuse).unwrap();

        let found = check_kind(&pipe, &opened.metadata().unwrap()).unwrap_err();
        assert_eq!(found.code, "plugin.not-a-file");
        assert!(open(&link, Links::Refuse).is_err());
    }

    #[test]
    fn a_file_is_never_read_beyond_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse.wasm");
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();

        let found = read_bounded(&path, Links::Refuse, 4 << 10).unwrap_err();

        assert_eq!(found.code, "plugin.too-large");
        assert!(found.message.contains("4 KiB"), "{}", found.message);
    }
}

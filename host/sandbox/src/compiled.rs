//! Compiled code: made once per plugin and engine, kept on disk, authenticated before use.
//!
//! Loading machine code is trusting it. A flipped bit in such a file is enough to crash the
//! host, so each file carries a keyed hash over its content, the plugin's digest and the
//! engine's settings; the key is 32 random bytes that only this user can read. Files are read
//! into memory once: what was checked is what is loaded.

use crate::compiler::engine_hash;
use effects::Layer;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

const MAC_BYTES: usize = 32;

/// Bytes of one file of compiled code.
const CODE_BYTES_MAX: u64 = 256 << 20;

/// Bytes of all compiled code that is kept.
const FOLDER_BYTES_MAX: u64 = 2 << 30;

/// Compiled code on disk. Safe to delete at any time.
pub struct CodeCache {
    /// None: not to be used, everything is compiled anew.
    folder: Option<Usable>,
}

struct Usable {
    folder: PathBuf,
    key: [u8; 32],
}

impl CodeCache {
    /// The cache in `folder`, which is made if it is not there. The second value says why it
    /// will not be used, if so: work goes on without it.
    #[must_use]
    pub fn open(folder: &Path) -> (Self, Option<String>) {
        match prepare(folder) {
            Ok(usable) => (Self { folder: Some(usable) }, None),
            Err(reason) => {
                let place = folder.display();
                (
                    Self { folder: None },
                    Some(format!("compiled code is not kept: {place}: {reason}")),
                )
            }
        }
    }

    /// One that keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { folder: None }
    }

    /// The component with this digest, if it was compiled before, for this engine, and nobody
    /// has touched it since. A file that fails the check is deleted.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let usable = self.folder.as_ref()?;
        let path = usable.path(engine, digest);
        let bytes = read_bounded(&path).ok()?;
        let loaded = bytes
            .split_at_checked(MAC_BYTES)
            .filter(|(mac, code)| {
                !Layer::Seal.on() || usable.mac(engine, digest, code) == blake3_from(mac)
            })
            .and_then(|(_, code)| deserialize(engine, code));
        if loaded.is_none() {
            tracing::warn!(path = %path.display(), "compiled code failed its check and was deleted");
            let _ = fs::remove_file(&path);
        }
        loaded
    }

    /// Keeps compiled code. Failing to is no failure: it is compiled again next time.
    pub(crate) fn store(&self, engine: &Engine, digest: &str, code: &[u8]) {
        let Some(usable) = &self.folder else { return };
        let path = usable.path(engine, digest);
        let mac = usable.mac(engine, digest, code);
        let parts: [&[u8]; 2] = [mac.as_bytes(), code];
        if let Err(error) = write_whole(&path, &parts) {
            tracing::warn!(path = %path.display(), %error, "compiled code was not kept");
        }
        make_room(&usable.folder, FOLDER_BYTES_MAX, &path);
    }

    /// Whether this host has found out `fact` about this engine before, and nobody else says so.
    pub(crate) fn knows(&self, engine: &Engine, fact: &str) -> bool {
        let Some(usable) = &self.folder else { return false };
        let kept = read_bounded(&usable.path(engine, fact)).unwrap_or_default();
        usable.mac(engine, fact, b"") == blake3_from(&kept)
    }

    /// Keeps that `fact` is so. Failing to is no failure: it is found out again next time.
    pub(crate) fn learn(&self, engine: &Engine, fact: &str) {
        let Some(usable) = &self.folder else { return };
        let mac = usable.mac(engine, fact, b"");
        let _ = write_whole(&usable.path(engine, fact), &[mac.as_bytes()]);
    }
}

impl Usable {
    fn path(&self, engine: &Engine, digest: &str) -> PathBuf {
        // The digest comes from our own hash function; it is letters, digits and one colon.
        let name = digest.replace(':', "-");
        self.folder.join(format!("{name}-{:016x}.code", engine_hash(engine)))
    }

    fn mac(&self, engine: &Engine, digest: &str, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&engine_hash(engine).to_le_bytes());
        hasher.update(digest.as_bytes());
        hasher.update(code);
        hasher.finalize()
    }
}

/// Deletes compiled code, the oldest first, until what is kept has no more than `bytes_max`. What
/// was `just_written` stays, and so does whatever is not ours by its name.
fn make_room(folder: &Path, bytes_max: u64, just_written: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let metadata = fs::symlink_metadata(&path).ok()?;
            let ours = metadata.is_file() && path.extension().is_some_and(|end| end == "code");
            ours.then(|| Some((metadata.modified().ok()?, metadata.len(), path)))?
        })
        .collect();
    let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
    files.sort();
    for (_, length, path) in files {
        if bytes <= bytes_max {
            return;
        }
        if path != just_written && fs::remove_file(&path).is_ok() {
            bytes -= length;
        }
    }
}

fn blake3_from(bytes: &[u8]) -> blake3::Hash {
    // Compared in constant time by `blake3::Hash`.
    bytes.try_into().map_or_else(|_| blake3::Hash::from([0; 32]), |bytes: [u8; 32]| bytes.into())
}

/// The one place in the house that trusts bytes to be code.
#[expect(unsafe_code, reason = "only called with bytes whose keyed hash was checked just before")]
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `deserialize` demands that the bytes came from `Component::serialize` of the same
    // version. Our keyed hash over exactly these bytes proves that this host wrote them, or that
    // the child did which it has just started to compile; nobody else can read the keys.
    // wasmtime itself checks version and settings.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Makes the folder and the key, and refuses a folder that others could write to.
fn prepare(folder: &Path) -> Result<Usable, String> {
    let text = |error: io::Error| error.to_string();
    make_private_folder(folder).map_err(text)?;
    let path = folder.join("key");
    let key = match read_key(&path) {
        Ok(key) => key,
        Err(_) => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| error.to_string())?;
            write_whole(&path, &[&key]).map_err(text)?;
            // Another process may have been faster; whoever wrote last has written for all.
            read_key(&path).map_err(text)?
        }
    };
    Ok(Usable { folder: folder.to_owned(), key })
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    owned_by_us_alone(&fs::symlink_metadata(path)?).map_err(io::Error::other)?;
    let bytes = read_bounded(path)?;
    bytes.try_into().map_err(|_| io::Error::other("the key does not have 32 bytes"))
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a folder (a link does not count)"));
    }
    owned_by_us_alone(&metadata).map_err(io::Error::other)
}

#[cfg(unix)]
fn owned_by_us_alone(metadata: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    // `/proc/self` belongs to whoever runs this process.
    let us = fs::metadata("/proc/self").map(|process| process.uid()).ok();
    if us.is_some_and(|us| us != metadata.uid()) {
        return Err("it belongs to another user".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("others can write to it; `chmod go-w` would mend that".to_owned());
    }
    Ok(())
}

#[cfg(not(unix))]
fn owned_by_us_alone(_metadata: &fs::Metadata) -> Result<(), String> {
    Ok(())
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    if size > CODE_BYTES_MAX {
        return Err(io::Error::other("too large"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(CODE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file that is there whole or not at all.
fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix).map_err(io::Error::other)?;
    let name = format!("new-{:016x}", u64::from_le_bytes(suffix));
    let temporary = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut file| {
        parts.iter().try_for_each(|part| file.write_all(part))?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:00";

    fn engine() -> Engine {
        Engine::default()
    }

    fn code(engine: &Engine) -> Vec<u8> {
        engine.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap()
    }

    fn only_file(folder: &Path) -> PathBuf {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some()).last().unwrap()
    }

    #[test]
    fn what_was_kept_is_found_again_by_the_same_engine_only() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, refused) = CodeCache::open(folder.path());
        assert_eq!(refused, None);
        let engine = engine();

        assert!(cache.load(&engine, DIGEST).is_none());
        cache.store(&engine, DIGEST, &code(&engine));

        assert!(cache.load(&engine, DIGEST).is_some());
        assert!(cache.load(&engine, "sha256:01").is_none());
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        assert!(cache.load(&other, DIGEST).is_none());
        let (second, _) = CodeCache::open(folder.path());
        assert!(second.load(&engine, DIGEST).is_some(), "the key is kept");
    }

    #[test]
    fn the_oldest_code_makes_room_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let began = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(100);
        for (age, name) in ["key", "notes.txt", "b.code", "c.code", "a.code"].iter().enumerate() {
            let file = fs::File::create(at(name)).unwrap();
            file.set_len(100).unwrap();
            file.set_modified(began + std::time::Duration::from_secs(age as u64)).unwrap();
        }
        let left = || {
            let names = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };

        make_room(folder.path(), 300, &at("a.code"));
        assert_eq!(left(), ["a.code", "b.code", "c.code", "key", "notes.txt"]);
        make_room(folder.path(), 200, &at("a.code"));
        assert_eq!(left(), ["a.code", "c.code", "key", "notes.txt"], "the oldest is gone");
        make_room(folder.path(), 0, &at("a.code"));
        assert_eq!(left(), ["a.code", "key", "notes.txt"], "what was just written stays");
    }

    #[test]
    fn one_flipped_bit_anywhere_and_the_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, _) = CodeCache::open(folder.path());
        let engine = engine();
        cache.store(&engine, DIGEST, &code(&engine));
        let path = only_file(folder.path());
        let whole = fs::read(&path).unwrap();

        for byte in [0, MAC_BYTES - 1, MAC_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1;
            fs::write(&path, &bytes).unwrap();

            assert!(cache.load(&engine, DIGEST).is_none(), "byte {byte}");
            assert!(!path.exists(), "byte {byte}");
        }
        for length in [0, 1, MAC_BYTES, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(cache.load(&engine, DIGEST).is_none(), "{length} bytes");
        }
        fs::write(&path, &whole).unwrap();
        fs::rename(
            &path,
            path.with_file_name(path.file_name().unwrap().to_str().unwrap().replace("00", "01")),
        )
        .unwrap();
        assert!(cache.load(&engine, "sha256:01").is_none(), "another plugin's code");
    }

    #[test]
    fn a_fact_is_known_to_who_learned_it_for_its_engine_and_not_by_a_forged_note() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, _) = CodeCache::open(folder.path());
        let (engine, fact) = (engine(), "spinner-stopped");
        assert!(!cache.knows(&engine, fact));

        cache.learn(&engine, fact);

        assert!(CodeCache::open(folder.path()).0.knows(&engine, fact));
        assert!(!cache.knows(&engine, "another"));
        let other = Engine::new(wasmtime::Config::new().epoch_interruption(true)).unwrap();
        assert!(!cache.knows(&other, fact));
        let note = only_file(folder.path());
        fs::write(&note, [0; MAC_BYTES]).unwrap();
        assert!(!cache.knows(&engine, fact));
        assert!(!CodeCache::none().knows(&engine, fact));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_to_or_a_link_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).unwrap();

        for folder in [&open, &link] {
            let (cache, refused) = CodeCache::open(folder);

            assert!(refused.is_some(), "{}", folder.display());
            let engine = engine();
            cache.store(&engine, DIGEST, &code(&engine));
            assert!(cache.load(&engine, DIGEST).is_none());
        }
    }
}

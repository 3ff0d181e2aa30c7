//! Disks of the test's own: a small one in memory, and one in a file that can be copied as it is.
//!
//! They are mounted in a mount namespace that one idle process holds, and are gone with it:
//! nothing is left behind on the machine. The program enters that namespace; the test reaches the
//! files through the process that holds it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What runs a program in another namespace.
const ENTER: &str = "/usr/bin/nsenter";

/// A disk that is mounted as long as this value lives.
pub(crate) struct Disk {
    holder: Child,
    /// Where it is mounted.
    point: PathBuf,
}

impl Disk {
    /// A disk in memory with so many bytes. None where this machine can't make it.
    pub(crate) fn in_memory(point: &Path, bytes: u64) -> Option<Self> {
        Self::mounts(point, &format!("-t tmpfs -o size={bytes} none"))
    }

    /// The ext4 file system in a file. Nothing reaches the file before somebody asks for it:
    /// neither the file system's own clock nor this test syncs anything.
    pub(crate) fn in_file(point: &Path, image: &Path) -> Option<Self> {
        Self::mounts(point, &format!("-t ext4 -o loop,commit=300 '{}'", image.display()))
    }

    fn mounts(point: &Path, how: &str) -> Option<Self> {
        fs::create_dir_all(point).expect("make a folder");
        let point = fs::canonicalize(point).expect("its whole path");
        // It holds on until nobody can write to it any more, also when the test is killed.
        let script = format!(
            "mount --make-rprivate / && mount {how} '{}' && echo ready && exec cat",
            point.display()
        );
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let read = BufReader::new(holder.stdout.take()?).read_line(&mut line);
        let disk = Self { holder, point };
        let works = read.is_ok() && line.trim() == "ready" && Path::new(ENTER).exists();
        works.then_some(disk)
    }

    /// A file on it, as those see it who have entered.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.point.join(name)
    }

    /// A file on it, for the test.
    pub(crate) fn seen_from_outside(&self, name: &Path) -> PathBuf {
        let root = format!("/proc/{}/root{}", self.holder.id(), self.point.display());
        Path::new(&root).join(name)
    }

    /// `command`, run by somebody who has entered.
    pub(crate) fn enters(&self, command: &Command) -> Command {
        let folder = command.get_current_dir().expect("it has a folder");
        let mut entering = Command::new(ENTER);
        entering
            .arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()))
            .arg(format!("--wd={}", folder.display()))
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(folder)
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::null());
        entering
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// An image with an empty ext4 file system. None where this machine can't make it.
pub(crate) fn makes_image(path: &Path, bytes: u64) -> Option<()> {
    let image = fs::File::create(path).expect("make the image");
    image.set_len(bytes).expect("give it its size");
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success()).then_some(())
}

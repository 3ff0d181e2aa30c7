//! Child processes that can't be forgotten: servers that end with this process however it ends,
//! and commands with a deadline.
//!
//! Knows nothing of Kubernetes.

use anyhow::{Context as _, Result};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a program until its own standard input ends. The other end of that pipe is ours alone, so
/// the kernel ends the program even when this process is killed.
const GUARD: &str = r#""$@" </dev/null & child=$!; cat >/dev/null; kill -KILL "$child"; wait"#;

/// How often a command is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// A server; dropping it kills it.
pub(crate) struct Server {
    guard: Child,
}

/// How a command ended.
pub(crate) struct Ended {
    /// Its exit code; none when it was killed, by us or by somebody else.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Server {
    /// Starts a program in a process group of its own, its output appended to `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log);
        let log = log.context("open the log of a server")?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().context("share the log of a server")?)
            .stderr(log)
            // Ctrl-C must end this process first, which then ends the servers.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self { guard })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Runs a command to its end, or kills it after `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ended> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {name}"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let deadline = Instant::now() + limit;
    let code = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("wait for {name}"))? {
            break status.code();
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(POLL);
    };
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
    };
    Ok(Ended { code, stdout: text(stdout), stderr: text(stderr) })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_over_its_time_is_killed_and_what_it_said_is_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo early; exec sleep 30"]);
        let started = Instant::now();

        let ended = run(&mut command, Duration::from_millis(300)).unwrap();

        assert_eq!((ended.code, ended.stdout.as_str()), (None, "early\n"));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_server_ends_when_its_owner_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "echo $$; exec sleep 30".to_owned();
        let server = Server::start(Path::new("sh"), &["-c".to_owned(), script], &log).unwrap();
        let mut pid = String::new();
        for _ in 0..400 {
            pid = std::fs::read_to_string(&log).unwrap().trim().to_owned();
            if !pid.is_empty() {
                break;
            }
            thread::sleep(POLL);
        }
        let alive = |pid: &str| Path::new("/proc").join(pid).exists();
        assert!(alive(&pid), "it runs as {pid}");

        drop(server);

        assert!(!alive(&pid), "{pid} was left behind");
    }
}

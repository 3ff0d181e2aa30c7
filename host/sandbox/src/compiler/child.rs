//! The host's side of compiling in a child: starts it, bounds it, and believes nothing of it that
//! is not authenticated. Whatever else happens is a refusal.

use super::CompileLimits;
use super::frame::{Compiled, FRAME_BYTES, NO_MEMORY, NO_TIME, Order, Subject, Task};
use crate::artifact::{ArtifactError, Weight};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{available_parallelism, scope, sleep};
use std::time::{Duration, Instant};

/// Bytes that are kept of what a child complains.
const COMPLAINT_BYTES_MAX: u64 = 4 << 10;

/// How long a child that has closed its pipes may take to end.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// Threads of one child. More would need more address space than its limit leaves.
const THREADS_MAX: usize = 4;

/// A program that compiles: this one, called in another way.
#[derive(Clone, Debug)]
pub struct ChildProgram {
    /// The program.
    pub program: PathBuf,
    /// What makes it call [`super::serve::serve`].
    pub arguments: Vec<OsString>,
    /// What it may use up.
    pub limits: CompileLimits,
}

/// How a child ended, and all that it said.
struct Ended {
    status: ExitStatus,
    said: Vec<u8>,
    complaint: String,
}

/// A child that does not outlive the interest in it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl ChildProgram {
    pub(super) fn order(
        &self,
        task: Task,
        engine_hash: u64,
        component: &[u8],
        weight: Weight,
    ) -> Compiled {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|error| failed(format!("there is no key for it: {error}")))?;
        let order = Order {
            task,
            key,
            memory_bytes_max: self.limits.memory_bytes_max,
            cpu_time_max: self.limits.cpu_time(weight),
            length: component.len() as u64,
        };
        let ended = self.run(&order, component)?;
        let subject = Subject { key: &key, engine_hash, component };
        match self.judge(ended, &subject) {
            Err(error) if error.code == NO_MEMORY => Err(self.memory_struck()),
            Err(error) if error.code == NO_TIME => Err(self.cpu_struck(&order)),
            answer => answer,
        }
    }

    /// Lets a child work, for as long as it may.
    fn run(&self, order: &Order, component: &[u8]) -> Result<Ended, ArtifactError> {
        let deadline = Instant::now() + self.limits.time_max;
        let mut child = Running(self.start()?);
        let (stdin, stdout, stderr) =
            (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
        let said = listen(stdout, self.limits.code_bytes_max.saturating_add(FRAME_BYTES));
        let complained = listen(stderr, COMPLAINT_BYTES_MAX);
        scope(|scope| {
            scope.spawn(move || {
                // A child that hangs up early is found out by its answer.
                let Some(mut stdin) = stdin else { return };
                let _ = order.write(&mut stdin).and_then(|()| stdin.write_all(component));
            });
            let ended = self.hear_out(&mut child, &said, &complained, deadline);
            // Ends the child, and with it the thread that writes to it.
            drop(child);
            ended
        })
    }

    fn hear_out(
        &self,
        child: &mut Running,
        said: &Receiver<Heard>,
        complained: &Receiver<Heard>,
        deadline: Instant,
    ) -> Result<Ended, ArtifactError> {
        let said = match said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => return Err(self.time_struck()),
            Err(RecvTimeoutError::Disconnected) => return Err(failed("nothing could be heard")),
        };
        if said.is_more {
            return Err(limit(format!(
                "the compiled code has more than {} MiB",
                self.limits.code_bytes_max >> 20
            )));
        }
        let last = deadline.min(Instant::now() + LAST_BREATH);
        let Some(status) = wait(&mut child.0, last) else {
            return Err(failed("the compiler closed its pipe and did not end"));
        };
        let complaint = complained.recv_timeout(LAST_BREATH).unwrap_or_default();
        let complaint = String::from_utf8_lossy(&complaint.bytes).trim().to_owned();
        Ok(Ended { status, said: said.bytes, complaint })
    }

    fn start(&self) -> Result<Child, ArtifactError> {
        let threads = available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        Command::new(&self.program)
            .args(&self.arguments)
            // No credential that lies in the host's environment, and none of its settings.
            .env_clear()
            .env("RAYON_NUM_THREADS", threads.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                failed(format!(
                    "the compiler `{}` can't be started: {error}",
                    self.program.display()
                ))
            })
    }

    /// What an end means. Only a child that ended well, in silence, and with an answer to this
    /// very order is believed.
    fn judge(&self, ended: Ended, subject: &Subject<'_>) -> Compiled {
        if tells_of_memory(&ended.complaint) {
            return Err(self.memory_struck());
        }
        if tells_of_stack(&ended.complaint) {
            return Err(ArtifactError::new(
                "plugin.too-complex",
                "it is nested in more levels than the compiler can follow; nest less",
            ));
        }
        if !ended.status.success() {
            return Err(died(&ended));
        }
        if !ended.complaint.is_empty() {
            return Err(failed(format!("the compiler complained: {}", shown(&ended.complaint))));
        }
        subject.read(ended.said).unwrap_or_else(|| {
            Err(failed("what the compiler answered is not an answer to what it was asked"))
        })
    }

    fn time_struck(&self) -> ArtifactError {
        let Self { limits, .. } = self;
        limit(format!("it takes longer than {:?} to compile{}", limits.time_max, limits.remedy))
    }

    fn cpu_struck(&self, order: &Order) -> ArtifactError {
        limit(format!(
            "compiling it takes more than {:.1} s of computing, which is many times what honest \
             code of its size takes{}",
            order.cpu_time_max.as_secs_f64(),
            self.limits.remedy
        ))
    }

    fn memory_struck(&self) -> ArtifactError {
        limit(format!(
            "compiling it takes more than {} MiB of memory",
            self.limits.memory_bytes_max >> 20
        ))
    }
}

fn died(ended: &Ended) -> ArtifactError {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&ended.status) {
        if signal == rustix::process::Signal::XCPU.as_raw() {
            return limit("compiling it takes more computing time than is allowed".to_owned());
        }
        return failed(format!("the compiler was ended by signal {signal}"));
    }
    failed(format!("the compiler ended with {}: {}", ended.status, shown(&ended.complaint)))
}

/// Whether these are words for memory that could not be had.
pub(super) fn tells_of_memory(text: &str) -> bool {
    ["memory allocation of", "allocate memory", "out of memory"]
        .iter()
        .any(|words| text.contains(words))
}

/// Whether these are the last words of a process whose stack was too small.
fn tells_of_stack(text: &str) -> bool {
    text.contains("overflowed its stack")
}

fn limit(message: String) -> ArtifactError {
    ArtifactError::new("plugin.compile-limit", message)
}

fn failed(message: impl Into<String>) -> ArtifactError {
    ArtifactError::new("plugin.compile-failed", message)
}

/// The beginning of a complaint, on one line.
fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What came out of a pipe until its end.
#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    /// There was more than was asked for.
    is_more: bool,
}

/// Listens to a pipe in a thread of its own, which ends with the pipe: whoever holds its other
/// end may be slower to let go than the child.
fn listen(pipe: Option<impl Read + Send + 'static>, bytes_max: u64) -> Receiver<Heard> {
    let (tell, heard) = sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let Some(pipe) = pipe else { return };
        let mut pipe = pipe.take(bytes_max.saturating_add(1));
        let _ = pipe.read_to_end(&mut bytes);
        let is_more = bytes.len() as u64 > bytes_max;
        bytes.truncate(usize::try_from(bytes_max).unwrap_or(usize::MAX));
        let _ = tell.send(Heard { bytes, is_more });
    });
    heard
}

/// Waits for a child to end. There is no way to wait for a bounded time, so it is asked.
fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_micros(100);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => sleep(pause),
            Ok(None) | Err(_) => return None,
        }
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

#[cfg(all(test, unix))]
mod tests;

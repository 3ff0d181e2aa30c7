//! WASI 0.2 that can do nothing: no files, no arguments, no environment, no sockets. Clocks and
//! random numbers work; what is written to stdout and stderr becomes log lines.
//!
//! Linked interface by interface. Toolchains import half of WASI whether they use it or not, so
//! leaving things out would keep honest plugins from loading.

use crate::state::StepState;
use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use effects::{Attempt, Layer};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io;

/// Bytes of random numbers in one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// Bytes kept of what a guest prints; what is beyond is dropped and counted.
const PRINTED_BYTES_MAX: usize = 256 << 10;

/// How finely a guest can measure time: fine clocks are what reads of foreign memory by their
/// timing are made with, and no honest step needs one.
const CLOCK_STEP: Duration = Duration::from_millis(1);

/// The interfaces linked here, without version.
pub(crate) const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

pub(crate) fn link(l: &mut Linker<StepState>) -> wasmtime::Result<()> {
    fn table(state: &mut StepState) -> &mut ResourceTable {
        &mut state.table
    }
    io::error::add_to_linker::<_, HasTable>(l, table)?;
    io::poll::add_to_linker::<_, HasTable>(l, table)?;
    io::streams::add_to_linker::<_, HasTable>(l, table)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, StepState::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, StepState::clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |state| state.wasi.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.wasi.random())?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, StepState::filesystem)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, StepState::filesystem)?;
    link_cli(l)
}

fn link_cli(l: &mut Linker<StepState>) -> wasmtime::Result<()> {
    use wasmtime_wasi::cli::WasiCliView;
    cli::environment::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, StepState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, StepState::cli)
}

/// A context for one attempt, with everything denied. Clocks and random numbers are such that an
/// attempt which is run again sees the same; without `random`, its numbers are its own each time.
pub(crate) fn context(
    printed: &Printed,
    attempt: &Arc<Attempt>,
    random: Option<[u8; 32]>,
) -> WasiCtx {
    let clock = CoarseClock::start(Arc::clone(attempt));
    let mut builder = WasiCtx::builder();
    if let Some(seed) = random {
        let mut numbers = ChaCha12Rng::from_seed(seed);
        let (high, low) = (numbers.next_u64(), numbers.next_u64());
        let mut insecure = [0; 32];
        numbers.fill_bytes(&mut insecure);
        builder
            .insecure_random_seed(u128::from(high) << 64 | u128::from(low))
            .insecure_random(ChaCha12Rng::from_seed(insecure))
            .secure_random(numbers);
    }
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_BYTES_MAX)
        .monotonic_clock(clock.clone())
        .wall_clock(clock)
        .stdout(printed.clone())
        .stderr(printed.clone())
        .build()
}

impl WasiView for StepState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Both clocks of a guest: coarse, and never going back, whatever is done to the host's. What they
/// showed before a crash they show again, and go on from there.
#[derive(Clone)]
struct CoarseClock(Arc<Clocks>);

struct Clocks {
    attempt: Arc<Attempt>,
    began: Instant,
    /// Since 1970, when the attempt began.
    wall: Duration,
    /// Milliseconds by which the monotonic clock is ahead of the time since `began`: what passed
    /// before a crash.
    ahead: AtomicU64,
    /// Milliseconds since 1970: the latest that was shown.
    shown: AtomicU64,
}

impl CoarseClock {
    fn start(attempt: Arc<Attempt>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a guest may know what time it is")]
        let now = SystemTime::now();
        let wall = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (ahead, shown) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Clocks { attempt, began: Instant::now(), wall, ahead, shown }))
    }
}

impl Clocks {
    /// Milliseconds since the attempt began.
    fn passed(&self) -> u64 {
        let since = millis(self.began.elapsed());
        let live = || since.saturating_add(self.ahead.load(Ordering::Relaxed));
        let (value, recorded) = self.attempt.reading(live);
        if recorded {
            self.ahead.fetch_max(value.saturating_sub(since), Ordering::Relaxed);
        }
        value
    }

    /// Milliseconds since 1970.
    fn wall(&self) -> u64 {
        let live = || {
            let now = millis(self.wall.saturating_add(self.began.elapsed()));
            now.max(self.shown.load(Ordering::Relaxed))
        };
        let (value, _recorded) = self.attempt.reading(live);
        self.shown.fetch_max(value, Ordering::Relaxed);
        value
    }
}

/// `time` in whole steps of the clock, which are milliseconds.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl HostMonotonicClock for CoarseClock {
    fn resolution(&self) -> u64 {
        u64::try_from(CLOCK_STEP.as_nanos()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        self.0.passed().saturating_mul(1_000_000)
    }
}

impl HostWallClock for CoarseClock {
    fn resolution(&self) -> Duration {
        CLOCK_STEP
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.wall())
    }
}

/// What a guest printed to stdout and stderr: a language runtime's last words before a trap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Printed(Arc<Mutex<Paper>>);

#[derive(Debug, Default)]
struct Paper {
    bytes: Vec<u8>,
    dropped: u64,
}

impl Printed {
    /// Takes the text out, and how many bytes did not fit.
    pub(crate) fn take(&self) -> (String, u64) {
        let mut paper = self.lock();
        let paper = std::mem::take(&mut *paper);
        (String::from_utf8_lossy(&paper.bytes).into_owned(), paper.dropped)
    }

    fn push(&self, bytes: &[u8]) {
        let mut paper = self.lock();
        let room = match Layer::Log.on() {
            true => PRINTED_BYTES_MAX.saturating_sub(paper.bytes.len()),
            false => usize::MAX,
        };
        let kept = bytes.len().min(room);
        paper.bytes.extend_from_slice(&bytes[..kept]);
        paper.dropped = paper.dropped.saturating_add((bytes.len() - kept) as u64);
    }

    fn lock(&self) -> MutexGuard<'_, Paper> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only used by the 0.3 interfaces, which are not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: wasmtime_wasi_io::bytes::Bytes) -> Result<(), StreamError> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(64 << 10)
    }
}

//! Everything that the host says to its own log while the cases run, at the finest level: it is
//! searched for credentials like everything else.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

/// What was said since the last look.
static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Listener;

/// Starts to listen, once per process.
pub(crate) fn listen() {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(Listener)
        .init();
}

/// What was said since the last look.
pub(crate) fn take() -> Vec<u8> {
    std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Write for &Listener {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SAID.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Listener {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

//! stdout for data, stderr for words: the only file that writes to either.

use crate::arguments::{LookArguments, When};
use std::io::{self, IsTerminal as _, Write as _};
use views::Look;
use workflow::render::Colour;
use workflow::{Diagnostic, SourceFile};

/// Where the program writes, and how it is to look there.
pub(crate) struct Output {
    stdout: Look,
    stderr: Look,
    terminal: bool,
}

impl Output {
    pub(crate) fn new(arguments: &LookArguments, verbose: u8) -> Self {
        let ascii = arguments.ascii || environment("TERM").is_some_and(|term| term == "dumb");
        let look = |terminal: bool| Look {
            color: color(arguments.color, terminal),
            ascii,
            width: if terminal { terminal_width() } else { usize::MAX },
            offset: local_offset(),
            detail: verbose > 0,
        };
        let terminal = io::stdout().is_terminal();
        Self { stdout: look(terminal), stderr: look(io::stderr().is_terminal()), terminal }
    }

    /// Whether stdout is a terminal that a drawing can live on.
    pub(crate) fn is_live(&self) -> bool {
        self.terminal && environment("TERM").is_none_or(|term| term != "dumb")
    }

    /// How drawings on stdout are to look.
    pub(crate) fn look(&self) -> Look {
        let width = if self.terminal { terminal_width() } else { usize::MAX };
        Look { width, ..self.stdout }
    }

    /// One line of data.
    pub(crate) fn line(&self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// Data as it is. A reader that has seen enough (`| head`) is no error.
    pub(crate) fn text(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Words for people, a line.
    pub(crate) fn note(&self, text: &str) {
        CleanStderr.say(text);
    }

    /// What went wrong. Texts from outside are shown without their power over the terminal.
    pub(crate) fn error(&self, text: &str) {
        let text = visible(text);
        let label = if self.stderr.color { "\x1b[1;31merror\x1b[0m" } else { "error" };
        self.note(&format!("{label}: {text}"));
    }

    /// Findings in a file, and how many there were.
    pub(crate) fn diagnostics(&self, found: &[Diagnostic], source: &SourceFile) {
        let colour = if self.stderr.color { Colour::Always } else { Colour::Never };
        for diagnostic in found {
            self.note(&workflow::render::text(diagnostic, source, colour));
        }
    }
}

/// Stderr without the credentials of any connection: what is said there may come from anywhere.
#[derive(Clone, Copy)]
pub(crate) struct CleanStderr;

impl CleanStderr {
    /// A line.
    pub(crate) fn say(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", effects::everywhere(text));
    }
}

impl io::Write for CleanStderr {
    /// Takes one message of the log, as a whole.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(message);
        io::stderr().lock().write_all(effects::everywhere(&text).as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// `text` with control characters made visible; line ends stay.
pub(crate) fn visible(text: &str) -> String {
    text.lines().map(|line| views::escape::plain(line).into_owned()).collect::<Vec<_>>().join("\n")
}

fn color(when: When, terminal: bool) -> bool {
    let set = |name| environment(name).is_some_and(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR") => false,
        When::Auto if environment("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        When::Auto => terminal && environment("TERM").is_none_or(|term| term != "dumb"),
    }
}

fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0).max(20))
}

/// The reader's distance from UTC now; a run that crosses a change of clocks keeps the first.
fn local_offset() -> jiff::tz::Offset {
    jiff::tz::TimeZone::system().to_offset(jiff::Timestamp::now())
}

/// Reads the environment: allowed on the roof.
#[expect(clippy::disallowed_methods, reason = "the roof reads the environment")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

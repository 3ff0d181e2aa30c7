//! What can be written behind `cluster`.

use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;

const USAGE: &str = "cluster scenarios|bench|sweep --bowline FILE [--plugins FOLDER] [PART...]";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Scenarios,
    Bench,
    Sweep,
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    /// The program under test.
    pub(crate) program: PathBuf,
    /// Steps that go before those inside the program.
    pub(crate) plugins: Option<PathBuf>,
    /// Only scenarios whose name holds one of these.
    pub(crate) parts: Vec<String>,
}

/// Reads the arguments.
pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let command = match words.next().as_deref() {
        Some("scenarios") => Command::Scenarios,
        Some("bench") => Command::Bench,
        Some("sweep") => Command::Sweep,
        _ => bail!("usage: {USAGE}"),
    };
    let (mut program, mut plugins, mut parts) = (None, None, Vec::new());
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--bowline" => &mut program,
            "--plugins" => &mut plugins,
            flag if flag.starts_with('-') => bail!("unknown option `{flag}`; usage: {USAGE}"),
            _ => {
                parts.push(word);
                continue;
            }
        };
        let path = words.next().with_context(|| format!("`{word}` needs a path; {USAGE}"))?;
        // Everything runs in folders of its own.
        let path = std::path::absolute(&path).with_context(|| format!("`{path}`"))?;
        *place = Some(path);
    }
    let program = program.with_context(|| format!("--bowline is missing; usage: {USAGE}"))?;
    Ok(Arguments { command, program, plugins, parts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Arguments> {
        read(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_or_refused_with_the_usage() {
        let read = words("scenarios undo --bowline /b pause --plugins /p").unwrap();
        assert_eq!(
            (read.command, read.parts),
            (Command::Scenarios, vec!["undo".into(), "pause".into()])
        );
        assert_eq!((read.program, read.plugins), ("/b".into(), Some("/p".into())));

        for text in ["", "sing", "bench", "bench --bowline", "bench --bowline /b --loud"] {
            let error = format!("{:#}", words(text).expect_err(text));
            assert!(error.contains("cluster scenarios|bench|sweep"), "{text}: {error}");
        }
    }
}

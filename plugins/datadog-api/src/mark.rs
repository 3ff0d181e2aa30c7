//! The line that tells what a step wrote from everything else.
//!
//! Datadog has no key against doubles. Whoever does not know whether a write took effect looks for
//! the mark, which is the same for all attempts of a step in a run and for nothing else.

use bowline_sdk::Context;

/// The line that tells this step's text from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    key: String,
    line: String,
}

impl Mark {
    /// The mark of this step in this run: the same for all its attempts, and for no other step.
    #[must_use]
    pub fn of(ctx: &Context) -> Self {
        Self::new(&ctx.idempotency_key(), &ctx.run_id(), &ctx.step())
    }

    /// The mark with this key, of this step in this run.
    #[must_use]
    pub fn new(key: &str, run: &str, step: &str) -> Self {
        // Inside a code span only a back-tick could end it.
        let step: String = step.chars().take(80).map(|c| if c == '`' { '\'' } else { c }).collect();
        Self { key: key.to_owned(), line: format!("`bowline run {run}, step {step}, {key}`") }
    }

    /// Whether a text carries this mark.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        !self.key.is_empty() && text.contains(&self.key)
    }

    /// The line as it stands in the text.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_name_does_not_break_out_of_the_mark() {
        let mark = Mark::new("k", "r", "a`](http://evil)`");
        assert_eq!(mark.line(), "`bowline run r, step a'](http://evil)', k`");
        assert!(!Mark::new("", "r", "s").is_in("anything"));
    }
}

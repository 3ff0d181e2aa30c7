//! The keys of one start of the practice services.
//!
//! They are random, live in memory only, and never enter a log, an answer or the record of
//! requests: [`Credentials::scrub`] takes them out of whatever a client put them into.

use rustls::crypto::SecureRandom;
use std::fmt;

/// What a client must show. `Debug` says nothing.
pub(crate) struct Credentials {
    /// The bearer token of the cluster.
    pub(crate) token: String,
    /// Datadog's API key: 32 hexadecimal digits.
    pub(crate) api_key: String,
    /// Datadog's application key: 40 hexadecimal digits.
    pub(crate) application_key: String,
}

impl Credentials {
    /// Fresh keys, or nothing when the system has no randomness to give.
    pub(crate) fn generate(random: &dyn SecureRandom) -> Option<Self> {
        Some(Self {
            token: format!("practice-{}", hex(random, 24)?),
            api_key: hex(random, 16)?,
            application_key: hex(random, 20)?,
        })
    }

    /// `text` without any of the keys, for the record of requests.
    pub(crate) fn scrub(&self, text: &str) -> String {
        [&self.token, &self.application_key, &self.api_key]
            .iter()
            .fold(text.to_owned(), |text, key| text.replace(key.as_str(), "REDACTED"))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Whether two keys are the same, in a time that depends on the lengths only.
pub(crate) fn same(shown: &[u8], expected: &[u8]) -> bool {
    let differences = shown.iter().zip(expected).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    shown.len() == expected.len() && differences == 0
}

fn hex(random: &dyn SecureRandom, bytes: usize) -> Option<String> {
    let mut buffer = vec![0_u8; bytes];
    random.fill(&mut buffer).ok()?;
    Some(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> Credentials {
        let provider = rustls::crypto::ring::default_provider();
        Credentials::generate(provider.secure_random).expect("randomness")
    }

    #[test]
    fn keys_have_the_usual_shape_and_differ_at_every_start() {
        let (one, two) = (fresh(), fresh());

        assert_eq!((one.api_key.len(), one.application_key.len()), (32, 40));
        assert_ne!(one.token, two.token);
        assert_ne!(one.api_key, two.api_key);
        assert_eq!(format!("{one:?}"), "Credentials(…)");
    }

    #[test]
    fn a_key_in_a_path_is_scrubbed() {
        let keys = fresh();
        let path = format!("/x/{}/y?api_key={}", keys.token, keys.api_key);

        assert_eq!(keys.scrub(&path), "/x/REDACTED/y?api_key=REDACTED");
    }

    #[test]
    fn keys_are_compared_as_a_whole() {
        for (shown, expected, wanted) in
            [("abc", "abc", true), ("ab", "abc", false), ("abd", "abc", false), ("", "", true)]
        {
            assert_eq!(same(shown.as_bytes(), expected.as_bytes()), wanted, "{shown} {expected}");
        }
    }
}

//! Takes known credentials out of whatever is about to be shown, kept or handed to a step.
//!
//! It can only find what it knows, in the forms it knows: as it is, base64 at any alignment,
//! hexadecimal, percent-encoded, and as inside HTML or a JSON string. The real defence is that a
//! step never holds a credential; this is the net below.

mod forms;

use crate::{Answer, Layer, Secret};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// What stands in the place of a credential.
const MASK: &str = "***";

/// Shorter values are not looked for: they would turn ordinary text into stars.
const SECRET_BYTES_MIN: usize = 4;

/// The forms of one connection's credentials. A connection that gets a new one, such as a token
/// that was minted or rotated, adds it before it is first sent.
pub struct Needles {
    forms: RwLock<BTreeSet<Vec<u8>>>,
    searches: RwLock<Option<Searches>>,
}

/// The same forms, looked for in two ways.
#[derive(Clone)]
struct Searches {
    exact: Arc<AhoCorasick>,
    /// For names of headers, which lose their case on the way.
    any_case: Arc<AhoCorasick>,
}

/// Removes the credentials of all connections that a step was granted.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Vec<Arc<Needles>>);

impl Needles {
    /// All forms of `secrets`. Those under 4 bytes are left out.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let needles = Self { forms: RwLock::default(), searches: RwLock::default() };
        needles.learn(secrets);
        needles
    }

    /// Looks for these from now on, too. Cheap when they are known already.
    pub fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) {
        let mut known = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.len();
        for secret in secrets {
            let text = Secret::reveal(secret);
            if text.len() >= SECRET_BYTES_MIN && !known.contains(text.as_bytes()) {
                known.extend(forms::of(text));
            }
        }
        if known.len() == before {
            return;
        }
        let built = Searches::build(&known);
        let mut everywhere = EVERYWHERE.lock().unwrap_or_else(PoisonError::into_inner);
        everywhere.retain(|known| known.strong_count() > 0);
        everywhere.extend(built.as_ref().map(|searches| Arc::downgrade(&searches.exact)));
        *self.searches.write().unwrap_or_else(PoisonError::into_inner) = built;
    }

    fn searches(&self) -> Option<Searches> {
        self.searches.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Searches {
    /// None only beyond a size limit that is gigabytes away from a key.
    fn build(forms: &BTreeSet<Vec<u8>>) -> Option<Self> {
        let build = |any_case: bool| {
            AhoCorasick::builder()
                // The other kind takes kilobytes for each byte of a long key.
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .match_kind(MatchKind::LeftmostLongest)
                .ascii_case_insensitive(any_case)
                .build(forms)
                .ok()
                .map(Arc::new)
        };
        Some(Self { exact: build(false)?, any_case: build(true)? })
    }
}

/// What this process looks for in words that belong to no step: its own log, a panic. These can
/// come from any place, so there is one list for all.
static EVERYWHERE: Mutex<Vec<Weak<AhoCorasick>>> = Mutex::new(Vec::new());

/// `text` without any credential of any connection of this process.
#[must_use]
pub fn everywhere(text: &str) -> Cow<'_, str> {
    let known: Vec<_> = {
        let everywhere = EVERYWHERE.lock().unwrap_or_else(PoisonError::into_inner);
        everywhere.iter().filter_map(Weak::upgrade).collect()
    };
    let known = known.into_iter().filter(|_| Layer::Redact.on());
    known.fold(Cow::Borrowed(text), |clean, automaton| masked(clean, &automaton))
}

fn masked<'a>(text: Cow<'a, str>, automaton: &AhoCorasick) -> Cow<'a, str> {
    if !automaton.is_match(text.as_bytes()) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    automaton.replace_all_with(&text, &mut out, |_, _, out| {
        out.push_str(MASK);
        true
    });
    Cow::Owned(out)
}

impl fmt::Debug for Needles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Needles(…)")
    }
}

impl Redactor {
    /// One that knows all of `needles`.
    #[must_use]
    pub fn new(needles: Vec<Arc<Needles>>) -> Self {
        Self(needles)
    }

    /// `text` without credentials.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.automata().fold(Cow::Borrowed(text), |clean, automaton| masked(clean, &automaton))
    }

    /// `bytes` without credentials, and how many were taken out.
    #[must_use]
    pub fn bytes(&self, bytes: Vec<u8>) -> (Vec<u8>, usize) {
        let mut found = 0;
        let mut clean = bytes;
        for automaton in self.automata() {
            if automaton.is_match(&clean) {
                let mut out = Vec::with_capacity(clean.len());
                automaton.replace_all_with_bytes(&clean, &mut out, |_, _, out| {
                    found += 1;
                    out.extend_from_slice(MASK.as_bytes());
                    true
                });
                clean = out;
            }
        }
        (clean, found)
    }

    /// An answer without the credentials that an echoing server may have put in, and how many were
    /// taken out.
    pub(crate) fn answer(&self, answer: Answer) -> (Answer, u64) {
        let mut found = 0;
        let mut headers = Vec::with_capacity(answer.headers.len());
        for (name, value) in answer.headers {
            // There is no half of a header: without its name its value means nothing.
            if self.finds_in_name(&name) {
                found += 1;
                continue;
            }
            let clean = self.text(&value);
            found += u64::from(clean != value);
            headers.push((name, clean.into_owned()));
        }
        let (body, in_body) = self.bytes(answer.body);
        (Answer { status: answer.status, headers, body }, found + in_body as u64)
    }

    /// A denial without credentials: its rule repeats what the step asked for.
    pub(crate) fn denial(&self, denial: journal::Denial) -> journal::Denial {
        journal::Denial { rule: self.value(denial.rule), ..denial }
    }

    /// A value without credentials.
    pub(crate) fn value(&self, value: serde_json::Value) -> serde_json::Value {
        match self.text(&value.to_string()) {
            Cow::Borrowed(_) => value,
            Cow::Owned(clean) => serde_json::from_str(&clean).unwrap_or_default(),
        }
    }

    /// Whether `text` holds a credential.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        self.automata().any(|automaton| automaton.is_match(text))
    }

    /// Whether a header's name holds a credential, in capitals or not: names lose their case.
    #[must_use]
    pub fn finds_in_name(&self, name: &str) -> bool {
        self.searches().any(|searches| searches.any_case.is_match(name))
    }

    /// Where credentials are in `bytes`: in order, none inside another.
    #[must_use]
    pub fn places(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for automaton in self.automata() {
            found.extend(automaton.find_iter(bytes).map(|hit| hit.range()));
        }
        found.sort_by_key(|place| place.start);
        found.dedup_by(|next, last| {
            let within = next.start < last.end;
            if within {
                last.end = last.end.max(next.end);
            }
            within
        });
        found
    }

    fn automata(&self) -> impl Iterator<Item = Arc<AhoCorasick>> {
        self.searches().map(|searches| searches.exact)
    }

    fn searches(&self) -> impl Iterator<Item = Searches> {
        self.0.iter().filter(|_| Layer::Redact.on()).filter_map(|needles| needles.searches())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    fn redactor(secret: &str) -> Redactor {
        Redactor::new(vec![Arc::new(Needles::new([&Secret::new(secret.to_owned())]))])
    }

    #[test]
    fn every_form_is_found() {
        let secret = "CANARY/+=abc def\"0123456789";
        let redactor = redactor(secret);
        let cases = [
            secret.to_owned(),
            STANDARD.encode(secret),
            STANDARD.encode(format!("u:{secret}")),
            STANDARD.encode(format!("us:{secret}")),
            STANDARD.encode(format!("usr:{secret}x")),
            URL_SAFE_NO_PAD.encode(format!("xy{secret}zz")),
            secret.bytes().map(|b| format!("{b:02x}")).collect(),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            serde_json::to_string(secret).unwrap(),
            serde_json::to_string(&serde_json::to_string(secret).unwrap()).unwrap(),
            format!("{secret:?}"),
            serde_json::to_string(&format!("{secret:?}")).unwrap(),
        ];
        for case in cases {
            let text = format!("before {case} after");

            let clean = redactor.text(&text);

            assert!(clean.contains(MASK) && clean.starts_with("before "), "{text} -> {clean}");
            assert!(redactor.finds(&text), "{text}");
            assert!(!redactor.finds(&clean), "{clean}");
            assert_eq!(redactor.bytes(text.clone().into_bytes()).0, clean.as_bytes());
        }
    }

    #[test]
    fn a_header_that_is_called_like_a_credential_is_dropped_and_counted() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header("canary-0123456789", "x"),
            header("x-canary-0123456789-y", "x"),
            header("x-plain", "CANARY-0123456789"),
            header("x-canary", "y"),
        ];
        let answer = Answer { status: 200, headers, body: vec![] };

        let (clean, found) = redactor("CANARY-0123456789").answer(answer);

        assert_eq!(clean.headers, [header("x-plain", MASK), header("x-canary", "y")]);
        assert_eq!(found, 3);
    }

    #[test]
    fn places_are_in_order_and_one_that_reaches_into_another_is_one_with_it() {
        let needles = |text: &str| Arc::new(Needles::new([&Secret::new(text.to_owned())]));
        let redactor = Redactor::new(vec![needles("abcd-efgh"), needles("efgh-ijkl")]);

        let places = redactor.places(b"efgh-ijkl abcd-efgh-ijkl x abcd-efgh");

        assert_eq!(places, [0..9, 10..24, 27..36]);
    }

    #[test]
    fn a_credential_that_is_learnt_later_is_found_here_and_everywhere() {
        let needles = Arc::new(Needles::new([]));
        let redactor = Redactor::new(vec![Arc::clone(&needles)]);
        let minted = "minted-0123456789";
        assert_eq!(redactor.text(minted), minted);

        needles.learn([&Secret::new(minted.to_owned())]);

        assert_eq!(redactor.text(minted), MASK);
        assert_eq!(everywhere(&format!("panicked at {minted}")), "panicked at ***");
        drop((needles, redactor));
        assert_eq!(everywhere(minted), minted, "nobody holds it any more");
    }

    #[test]
    fn x11_short_and_empty_values_are_left_alone() {
        for secret in ["", "abc"] {
            assert_eq!(redactor(secret).text("abc and nothing"), "abc and nothing");
        }
    }

    #[test]
    fn one_value_that_holds_another_is_taken_out_whole() {
        let needles = Needles::new([
            &Secret::new("token-1234".to_owned()),
            &Secret::new("token-1234-long".to_owned()),
        ]);

        let redactor = Redactor::new(vec![Arc::new(needles)]);

        assert_eq!(redactor.text("a token-1234-long b"), "a *** b");
    }
}

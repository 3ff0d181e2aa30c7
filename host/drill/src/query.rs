//! Paths and queries as clients send them: percent-encoding undone, pairs in order.
//!
//! What can't be decoded is refused here, so that no handler sees half-decoded text.

/// The pairs of a query string, decoded, in the order sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads `a=1&b=2`. `None` when an escape is broken or the text is not UTF-8.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name, true)?, decode(value, true)?))
            })
            .collect::<Option<_>>()?;
        Some(Self { pairs })
    }

    /// The first value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of `name`, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of `name` unless it is empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Whether `name` is set to something that means yes (`true`, `1`, or no value at all).
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value, "false" | "0" | "False" | "FALSE"))
    }
}

/// The segments of a path, decoded; empty ones are left out. `None` when an escape is broken or
/// hides a slash, or when a segment is `.` or `..`.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            let segment = decode(segment, false)?;
            let safe = !segment.contains(['/', '\\', '\0']) && segment != "." && segment != "..";
            safe.then_some(segment)
        })
        .collect()
}

fn decode(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            b'+' if plus_is_blank => b' ',
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let query = Query::parse("page%5Bsize%5D=100&q=a+b%2Bc&flag&q=second").expect("a query");

        assert_eq!(query.get("page[size]"), Some("100"));
        assert_eq!(query.all("q").collect::<Vec<_>>(), ["a b+c", "second"]);
        assert!(query.is_set("flag"));
        assert!(!query.is_set("absent"));
        assert_eq!(query.filled("flag"), None);
    }

    #[test]
    fn broken_escapes_and_hidden_slashes_are_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(Query::parse(text).is_none(), "{text}");
        }
        for path in ["/a/%2e%2e/b", "/a/../b", "/a/%2Fb", "/a/%5Cb", "/a/%00", "/a/%"] {
            assert!(segments(path).is_none(), "{path}");
        }
        assert_eq!(segments("/api//v1/a%20b/").expect("segments"), ["api", "v1", "a b"]);
    }
}

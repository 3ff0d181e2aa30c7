//! Lines that people read, made comparable: what depends on the moment is masked.

use regex::Regex;
use std::sync::LazyLock;

/// In this order. The first group of a mask is kept.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let masks = [
        (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "TIME"),
        (r"\b(?:\d+[dhms])+(?:\s|$)", "AGE "),
        (r"\b(127\.0\.0\.1):\d+", "$1:PORT"),
        (r"\s+", " "),
    ];
    // Each of them is tried by the test below.
    masks.into_iter().filter_map(|(text, by)| Some((Regex::new(text).ok()?, by))).collect()
});

/// A line of kubectl's or the server's own log: level, day, time, process.
static LOG: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ ").ok());

/// Masks a text of any number of lines, and leaves out blank ones and a program's own log.
pub(crate) fn masked(text: &str, names: &[(String, String)]) -> String {
    let named = names.iter().fold(text.to_owned(), |text, (name, by)| text.replace(name, by));
    let line = |line: &str| {
        let masked = MASKS
            .iter()
            .fold(line.to_owned(), |text, (mask, by)| mask.replace_all(&text, *by).into_owned());
        masked.trim().to_owned()
    };
    let is_log = |line: &str| LOG.as_ref().is_some_and(|log| log.is_match(line));
    let lines = named.lines().filter(|line| !is_log(line)).map(line);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Those lines of kubectl, masked, that are not in our text, masked. How an error begins depends
/// on where it is printed, so that is left out.
pub(crate) fn missing(kubectl: &str, ours: &str, only_last: bool) -> Vec<String> {
    let skip = if only_last { kubectl.lines().count().saturating_sub(1) } else { 0 };
    kubectl
        .lines()
        .skip(skip)
        .filter(|line| {
            let said = ["error: ", "Error: "].iter().find_map(|start| line.strip_prefix(start));
            let said = said.unwrap_or(line);
            !ours.contains(said)
        })
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_moment_is_masked() {
        let names = [("s1-kubectl".to_owned(), "NAMESPACE".to_owned())];
        let cases = [
            ("namespaces \"s1-kubectl\" not found", "namespaces \"NAMESPACE\" not found"),
            ("web   1/1   1   1   3m12s", "web 1/1 1 1 AGE"),
            ("web 1/1 5s  nginx", "web 1/1 AGE nginx"),
            ("at 2026-01-02T03:04:05Z", "at TIME"),
            ("uid 123e4567-e89b-12d3-a456-426614174000!", "uid UID!"),
            ("server 127.0.0.1:4711 was refused", "server 127.0.0.1:PORT was refused"),
            ("\n\n  a\n", "a"),
            ("W1122 19:32:01.764927 2537 reflector.go:436] short watch\ndone", "done"),
        ];
        assert_eq!(MASKS.len(), 5);
        for (text, expected) in cases {
            assert_eq!(masked(text, &names), expected);
        }
    }

    #[test]
    fn a_line_that_we_do_not_say_is_missing() {
        let kubectl = "Waiting\nerror: it is paused";
        assert_eq!(missing(kubectl, "Waiting\nit is paused; resume it", false), [""; 0]);
        assert_eq!(missing(kubectl, "it is paused", false), ["Waiting"]);
        assert_eq!(missing(kubectl, "it is paused", true), [""; 0]);
        assert_eq!(missing(kubectl, "", true), ["error: it is paused"]);
    }
}

//! What a command acts on, as words: `TYPE/NAME …`, `TYPE NAME …` or `TYPE` alone.
//!
//! Error texts are kubectl's, with what to do about it. Types are only texts here; `kinds` knows
//! what they mean.

use crate::members::{holds, joined};
use crate::namespace::check_name;
use bowline_sdk::{Failure, shown};

/// What the words name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Objects by type and name; names are RFC 1123 subdomains.
    Named(Vec<(String, String)>),
    /// Types without names.
    Types(Vec<String>),
}

/// Reads the words that name objects. `one` allows one object only: words of a text may come
/// from a stranger.
///
/// # Errors
///
/// `config`: nothing or too much is named, or a name is not RFC 1123.
pub fn read(words: &[String], one: bool) -> Result<Wanted, Failure> {
    let slashed = words.iter().filter(|word| holds(word, "/")).count();
    let mut named = Vec::new();
    if slashed > 0 {
        if slashed < words.len() {
            return refuse(
                "there is no need to specify a resource type as a separate argument when passing \
                 arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' \
                 instead of 'kubectl get resource resource/<resource_name>'",
            );
        }
        for word in words {
            let (kind, name) = halves(word)?;
            named.push((kind.to_owned(), check_name(name)?.to_owned()));
        }
    } else {
        let Some((kinds, names)) = words.split_first() else {
            return refuse("required resource not specified; name one, as `deployment/web`");
        };
        let mut types = Vec::new();
        for kind in kinds.split(',').filter(|kind| !kind.is_empty()) {
            types.push(kind.to_owned());
        }
        if types.is_empty() {
            return refuse("the resource type is empty; name an object, as `deployment/web`");
        }
        if names.is_empty() {
            return Ok(Wanted::Types(types));
        }
        for kind in types {
            for name in names {
                named.push((kind.clone(), check_name(name)?.to_owned()));
            }
        }
    }
    if one && named.len() > 1 {
        let all = joined(&mut words.iter().map(|word| shown(word)), " ");
        return refuse(&format!(
            "`{all}` is more than one object; in a text only one is named, since what stands at \
             its end may come from a parameter. Give `args` as a list"
        ));
    }
    Ok(Wanted::Named(named))
}

fn refuse<T>(message: &str) -> Result<T, Failure> {
    Err(Failure::config(message))
}

fn halves(word: &str) -> Result<(&str, &str), Failure> {
    match word.split_once('/') {
        Some((_, name)) if holds(name, "/") => {
            refuse("arguments in resource/name form may not have more than one slash")
        }
        Some((kind, "")) if !kind.is_empty() => refuse(
            "arguments in resource/name form must have a single resource and name; the name is empty",
        ),
        Some((kind, name)) if !kind.is_empty() => Ok((kind, name)),
        _ => refuse("arguments in resource/name form must have a single resource and name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(words: &str, one: bool) -> String {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        match read(&words, one) {
            Ok(Wanted::Named(named)) => {
                named.iter().map(|(kind, name)| format!("{kind}/{name} ")).collect()
            }
            Ok(Wanted::Types(types)) => types.join("+"),
            Err(failure) => {
                assert_eq!(failure.code(), "config");
                failure.message().to_owned()
            }
        }
    }

    #[test]
    fn objects_are_named_in_two_ways() {
        let cases = [
            ("deployment/a", "deployment/a "),
            ("deploy/a sts/b", "deploy/a sts/b "),
            ("deploy a b", "deploy/a deploy/b "),
            ("deploy,sts a b", "deploy/a deploy/b sts/a sts/b "),
            ("deploy,sts", "deploy+sts"),
            ("pods", "pods"),
        ];
        for (words, expected) in cases {
            assert_eq!(outcome(words, false), expected, "{words}");
        }
    }

    #[test]
    fn mistakes_are_told_in_the_words_of_kubectl() {
        let single = "arguments in resource/name form must have a single resource and name";
        let cases = [
            ("deployment/ns/nginx", "may not have more than one slash"),
            ("/nginx", single),
            ("deployment deployment/nginx", "there is no need to specify a resource type"),
            (",", "the resource type is empty"),
            ("deployment/nginx-é", r"no valid RFC 1123 name: `nginx-\u{e9}`"),
            ("deployment/NGINX", "no valid RFC 1123 name: `NGINX`"),
            ("deployment/..", "no valid RFC 1123 name: `..`"),
        ];
        for (words, expected) in cases {
            let actual = outcome(words, false);
            assert!(actual.contains(expected), "{words}: {actual}");
        }
        let nothing = read(&[], false).expect_err("nothing");
        assert!(nothing.message().contains("required resource not specified"), "{nothing}");
    }

    #[test]
    fn k04_an_empty_parameter_leaves_an_empty_name() {
        assert!(outcome("deployment.v1.apps/", true).ends_with("the name is empty"));
    }

    #[test]
    fn k05_a_text_names_one_object_only() {
        for words in ["deployment/a deployment/b", "deployment a b", "deployment,sts a"] {
            assert!(outcome(words, true).contains("is more than one object"), "{words}");
        }
    }
}

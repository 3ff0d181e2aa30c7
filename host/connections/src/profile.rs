//! A type of connection as data: an HTTP API with its base URL, the headers or members of a JSON
//! body that carry its credentials, and names for scopes. A new service is a file of this form, not code.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of one type of HTTP connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Profile {
    /// The type in `!Connection`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// One line for lists.
    pub(crate) summary: String,
    /// May hold `${name}` of `settings`. Without one the operator must give it.
    #[serde(default)]
    pub(crate) base_url: Option<String>,
    /// What the operator may set besides.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, Parameter>,
    /// Which credentials there are, and where each goes.
    #[serde(default)]
    pub(crate) credentials: BTreeMap<String, Credential>,
    /// Sent with every request, unless the guest sends its own.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// A cheap request that shows whether the connection works.
    #[serde(default)]
    pub(crate) check: Option<Check>,
    /// Names for rules: `{use: NAME}` in a manifest stands for them.
    #[serde(default)]
    pub(crate) scopes: BTreeMap<String, Vec<Value>>,
    /// Whether it came with the program. What an operator adds is the operator's own word.
    #[serde(skip)]
    pub(crate) built_in: bool,
}

/// One setting of a profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Parameter {
    #[serde(default)]
    default: Option<String>,
    /// Beginnings that are taken off, in this order, so that common slips mean the right thing.
    #[serde(default)]
    strip: Vec<String>,
    #[serde(default)]
    one_of: Vec<String>,
}

/// One credential of a profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Credential {
    /// The header that carries it.
    #[serde(default)]
    pub(crate) header: Option<String>,
    /// The member on the top level of every JSON body that carries it, for the few services that
    /// want it there. Exactly one of the two is set.
    #[serde(default)]
    pub(crate) json_member: Option<String>,
    /// Stands before it.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Where it is when the operator does not say.
    #[serde(default)]
    pub(crate) default_env: Option<String>,
    #[serde(default)]
    pub(crate) optional: bool,
}

/// A cheap request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    pub(crate) path: String,
    /// What a good answer shows, for people.
    #[serde(default)]
    pub(crate) proves: String,
}

/// The profiles inside the program.
const BUILT_IN: &[&str] = &[
    include_str!("../profiles/datadog.yaml"),
    include_str!("../profiles/http.yaml"),
    include_str!("../profiles/pagerduty.yaml"),
    include_str!("../profiles/slack.yaml"),
];

/// All profiles by type: those inside the program, and the operator's, which win.
pub(crate) fn all(added: &[String]) -> Result<BTreeMap<String, Profile>, String> {
    let built_in = BUILT_IN.iter().map(|text| (*text, true));
    let texts = built_in.chain(added.iter().map(|text| (text.as_str(), false)));
    texts
        .map(|(text, built_in)| {
            let mut profile: Profile =
                serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
            profile.check_credentials()?;
            profile.built_in = built_in;
            Ok((profile.kind.clone(), profile))
        })
        .collect()
}

impl Profile {
    /// Each credential goes to exactly one place.
    fn check_credentials(&self) -> Result<(), String> {
        for (name, credential) in &self.credentials {
            let empty = |place: &Option<String>| place.as_ref().is_some_and(String::is_empty);
            let one = credential.header.is_some() != credential.json_member.is_some();
            if !one || empty(&credential.header) || empty(&credential.json_member) {
                return Err(format!(
                    "the credential `{name}` of `{}` needs either `header` or `jsonMember`: the \
                     one place that carries it",
                    self.kind
                ));
            }
        }
        Ok(())
    }

    /// The base URL for what the operator set.
    pub(crate) fn base_url(
        &self,
        given: Option<&str>,
        settings: &BTreeMap<String, String>,
    ) -> Result<String, String> {
        if let Some(url) = given {
            return Ok(url.to_owned());
        }
        let template = self.base_url.as_ref().ok_or("it needs a `baseUrl`")?;
        let mut url = template.clone();
        for (name, parameter) in &self.settings {
            let value = parameter.value(name, settings.get(name))?;
            url = url.replace(&format!("${{{name}}}"), &value);
        }
        Ok(url)
    }

    /// `rules` with each `{use: NAME}` replaced by what the name stands for.
    pub(crate) fn expand(&self, rules: &[Value]) -> Result<Vec<Value>, String> {
        let mut expanded = Vec::new();
        for rule in rules {
            match rule.get("use").and_then(Value::as_str) {
                None => expanded.push(rule.clone()),
                Some(name) => {
                    let named = self.scopes.get(name).ok_or_else(|| {
                        let known: Vec<&str> = self.scopes.keys().map(String::as_str).collect();
                        format!(
                            "no scope of `{}` is called `{name}`; there are {}",
                            self.kind,
                            known.join(", ")
                        )
                    })?;
                    expanded.extend(named.iter().cloned());
                }
            }
        }
        Ok(expanded)
    }
}

impl Parameter {
    fn value(&self, name: &str, given: Option<&String>) -> Result<String, String> {
        let given = given.or(self.default.as_ref()).ok_or_else(|| format!("it needs `{name}`"))?;
        let mut value = given.trim().trim_end_matches('/').to_ascii_lowercase();
        for prefix in &self.strip {
            if let Some(rest) = value.strip_prefix(prefix.as_str()) {
                value = rest.to_owned();
            }
        }
        if self.one_of.is_empty() || self.one_of.contains(&value) {
            return Ok(value);
        }
        Err(format!(
            "`{name}: {}` is none of {}; a proxy or a test needs `baseUrl` instead",
            given.escape_debug(),
            self.one_of.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_inside_the_program_are_good_and_their_scopes_read() {
        let profiles = all(&[]).unwrap();

        for profile in profiles.values() {
            for rules in profile.scopes.values() {
                let nothing = serde_json::json!({});
                effects::Scope::http(rules, effects::Binding::all(&nothing)).unwrap();
            }
        }
        let kinds: Vec<&str> = profiles.keys().map(String::as_str).collect();
        assert_eq!(kinds, ["datadog", "http", "pagerduty", "slack"]);
    }

    #[test]
    fn a_credential_goes_to_exactly_one_place() {
        let profile = |place: &str| {
            let text = format!("type: x\nsummary: x\ncredentials:\n  key: {{ {place} }}\n");
            all(&[text]).map(|_profiles| ())
        };
        assert_eq!(profile("header: X-Key"), Ok(()));
        assert_eq!(profile("jsonMember: key"), Ok(()));
        for wrong in ["optional: true", "header: X-Key, jsonMember: key", "header: ''"] {
            let error = profile(wrong).unwrap_err();
            assert!(
                error.contains("`key` of `x` needs either `header` or `jsonMember`"),
                "{error}"
            );
        }
    }

    #[test]
    fn sites_of_datadog_with_their_common_slips() {
        let datadog = &all(&[]).unwrap()["datadog"];
        let cases = [
            (None, Ok("https://api.datadoghq.com")),
            (Some("datadoghq.eu"), Ok("https://api.datadoghq.eu")),
            (Some(" https://app.datadoghq.eu/ "), Ok("https://api.datadoghq.eu")),
            (Some("API.US5.datadoghq.com"), Ok("https://api.us5.datadoghq.com")),
            (Some("evil.example"), Err(&())),
        ];
        for (site, expected) in cases {
            let settings =
                site.map(|site| ("site".to_owned(), site.to_owned())).into_iter().collect();
            let url = datadog.base_url(None, &settings).map_err(|_| ());
            assert_eq!(url.as_deref(), expected, "{site:?}");
        }
    }
}

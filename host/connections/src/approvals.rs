//! Who may say yes: the operator's rules for approvals.
//!
//! Decides by names alone. Who somebody is, the roof finds out; what was said, the journal keeps.

use journal::Question;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How long people have where nobody says, in seconds: an hour, as in Relay.
const EXPIRES_AFTER_SECONDS: u64 = 3_600;

/// What begins the name of a system group in a role.
const GROUP: &str = "group:";

/// `approvals` of the operator's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// Names of users, and `group:NAME`, by role.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<String>>,
    /// The first that fits a step counts.
    #[serde(default)]
    pub rules: Vec<ApprovalRule>,
}

/// What holds for the approvals of some steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalRule {
    /// The workflow's name; `*` at the end stands for anything. Default: every workflow.
    #[serde(default)]
    pub workflow: Option<String>,
    /// The step's name; `*` at the end stands for anything. Default: every step.
    #[serde(default)]
    pub step: Option<String>,
    /// Who may answer. Default: whoever may write to the journal.
    #[serde(default)]
    pub role: Option<String>,
    /// How many must say yes, 1 to 100. Default: 1.
    #[serde(default)]
    pub quorum: Option<u32>,
    /// Whether who started the run may answer. Default: yes.
    #[serde(default)]
    pub self_approval: Option<bool>,
    /// How long people have, 1 to 2,592,000. Default: 3,600. What the workflow says goes before.
    #[serde(default)]
    pub expires_after_seconds: Option<u64>,
}

/// An approval that is about to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The workflow's name.
    pub workflow: &'a str,
    /// The step's name.
    pub step: &'a str,
    /// Who started the run.
    pub by: &'a str,
    /// Names what exactly is asked.
    pub digest: &'a str,
    /// How long people have, in milliseconds, if the workflow says so.
    pub within_ms: Option<i64>,
    /// Milliseconds since 1970, UTC.
    pub now: i64,
}

/// A person, as the system knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The user's name.
    pub name: String,
    /// The groups that the user is in, by name.
    pub groups: Vec<String>,
}

impl ApprovalPolicy {
    /// Whether each rule can be meant.
    ///
    /// # Errors
    ///
    /// The first that can't, in words.
    pub fn check(&self) -> Result<(), String> {
        for (index, rule) in self.rules.iter().enumerate() {
            let at = |what: &str| format!("`approvals.rules[{index}]`: {what}");
            if let Some(role) = &rule.role
                && !self.roles.contains_key(role)
            {
                return Err(at(&format!(
                    "no role is called `{role}`; set it under `approvals.roles`"
                )));
            }
            let members = rule.role.as_ref().and_then(|role| self.roles.get(role));
            if members.is_some_and(Vec::is_empty) {
                return Err(at("its role is empty, so nobody could answer"));
            }
            if rule.quorum.is_some_and(|quorum| quorum == 0 || quorum > 100) {
                return Err(at("`quorum` must be 1 to 100"));
            }
            let seconds = rule.expires_after_seconds;
            if seconds.is_some_and(|seconds| seconds == 0 || seconds > 2_592_000) {
                return Err(at("`expiresAfterSeconds` must be 1 to 2592000"));
            }
            let people = members.filter(|all| all.iter().all(|name| !name.starts_with(GROUP)));
            if let (Some(people), Some(quorum)) = (people, rule.quorum)
                && people.len() < quorum as usize
            {
                return Err(at(
                    "its quorum is greater than its role, so it could never be reached",
                ));
            }
        }
        Ok(())
    }

    /// What is asked of whom.
    #[must_use]
    pub fn question(&self, wanted: &Wanted<'_>) -> Question {
        let fits = |pattern: &Option<String>, name: &str| {
            pattern.as_deref().is_none_or(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => pattern == name,
            })
        };
        let rule = self
            .rules
            .iter()
            .find(|rule| fits(&rule.workflow, wanted.workflow) && fits(&rule.step, wanted.step))
            .cloned()
            .unwrap_or_default();
        let millis =
            |seconds: u64| i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        // A workflow may ask for less than the operator allows, and not for more.
        let allowed = rule.expires_after_seconds.map(millis);
        let within = allowed.into_iter().chain(wanted.within_ms).min();
        let within = within.unwrap_or_else(|| millis(EXPIRES_AFTER_SECONDS));
        let role = rule.role.as_ref().and_then(|role| self.roles.get(role));
        let alone = rule.self_approval == Some(false);
        Question {
            digest: wanted.digest.to_owned(),
            quorum: rule.quorum.unwrap_or(1).max(1),
            approvers: role.cloned().unwrap_or_default(),
            excluded: alone.then(|| wanted.by.to_owned()).into_iter().collect(),
            expires_at: Some(wanted.now.saturating_add(within)),
        }
    }
}

/// Whether this person may answer.
///
/// # Errors
///
/// Why not, and who may.
pub fn may_answer(question: &Question, person: &Person) -> Result<(), String> {
    if question.excluded.contains(&person.name) {
        return Err(format!(
            "{} started the run, and may not approve it: the operator's `approvals` demand another \
             person",
            person.name
        ));
    }
    let is_one = |approver: &String| match approver.strip_prefix(GROUP) {
        Some(group) => person.groups.iter().any(|own| own == group),
        None => *approver == person.name,
    };
    if question.approvers.is_empty() || question.approvers.iter().any(is_one) {
        return Ok(());
    }
    Err(format!("{} may not answer; these may: {}", person.name, question.approvers.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Result<ApprovalPolicy, String> {
        let policy: ApprovalPolicy =
            serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        policy.check().map(|()| policy)
    }

    fn person(name: &str, groups: &[&str]) -> Person {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Person { name: name.to_owned(), groups }
    }

    fn wanted<'a>(workflow: &'a str, step: &'a str) -> Wanted<'a> {
        Wanted { workflow, step, by: "ann", digest: "d", within_ms: None, now: 1_000 }
    }

    const RULES: &str = "
roles: {on-call: [ann, bob, 'group:sre']}
rules:
- {workflow: 'deploy-*', step: confirm, role: on-call, quorum: 2, selfApproval: false}
- {workflow: 'deploy-*', expiresAfterSeconds: 60}
";

    #[test]
    fn the_first_rule_that_fits_counts() {
        let policy = policy(RULES).expect("a policy");

        let strict = policy.question(&wanted("deploy-web", "confirm"));
        assert_eq!((strict.quorum, strict.expires_at), (2, Some(3_601_000)));
        assert_eq!(strict.approvers, ["ann", "bob", "group:sre"]);
        assert_eq!(strict.excluded, ["ann"]);
        let short = policy.question(&wanted("deploy-web", "other"));
        assert_eq!((short.quorum, short.expires_at), (1, Some(61_000)));
        let said = Wanted { within_ms: Some(5), ..wanted("x", "confirm") };
        let free = policy.question(&said);
        assert_eq!((free.approvers.len(), free.expires_at), (0, Some(1_005)));
    }

    #[test]
    fn a_workflow_may_ask_for_less_time_than_the_operator_allows_and_not_for_more() {
        let policy = policy(RULES).expect("a policy");
        let until = |workflow, within_ms| {
            let asked = Wanted { within_ms: Some(within_ms), ..wanted(workflow, "other") };
            policy.question(&asked).expires_at.expect("an end")
        };
        assert_eq!(until("deploy-web", 5_000), 6_000);
        assert_eq!(until("deploy-web", 7_200_000), 61_000);
        assert_eq!(until("x", 7_200_000), 7_201_000, "where the operator says nothing");
    }

    #[test]
    fn who_may_answer() {
        let question = policy(RULES).expect("a policy").question(&wanted("deploy-web", "confirm"));
        let cases = [
            (person("bob", &[]), true),
            (person("cyd", &["sre"]), true),
            (person("cyd", &["dev"]), false),
            (person("group:sre", &[]), false),
            (person("ann", &["sre"]), false),
        ];
        for (person, expected) in cases {
            assert_eq!(may_answer(&question, &person).is_ok(), expected, "{person:?}");
        }
        assert!(may_answer(&Question::default(), &person("anyone", &[])).is_ok());
    }

    #[test]
    fn rules_that_nobody_could_meet_are_refused() {
        let cases = [
            "rules: [{role: nobody}]",
            "roles: {a: []}\nrules: [{role: a}]",
            "roles: {a: [ann]}\nrules: [{role: a, quorum: 2}]",
            "rules: [{quorum: 0}]",
            "rules: [{expiresAfterSeconds: 0}]",
            "rules: [{qourum: 1}]",
        ];
        for text in cases {
            assert!(policy(text).is_err(), "{text}");
        }
    }
}

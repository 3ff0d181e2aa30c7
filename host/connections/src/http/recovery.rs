//! How it can be found out whether a write took effect: what a plugin's manifest says of it, bound
//! to the step's inputs.

use super::target::Target;
use effects::scope::http::{Rule, check};
use effects::{Binding, Scope};
use journal::Repeatable;
use serde_json::json;
use workflow::Verify;

/// The ways for one connection of one step.
#[derive(Debug, Default)]
pub(crate) struct Recovery(Vec<Way>);

#[derive(Debug)]
struct Way {
    writes: Vec<Rule>,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The far side recognises the same request.
    Recognised,
    /// A look tells.
    Look(LookAt),
}

/// Where to look, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookAt {
    /// Path and query of a GET.
    pub(crate) path: String,
    /// In the answer exactly if the write took effect.
    pub(crate) text: String,
}

/// What is known of the step besides its inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepNames<'a> {
    pub(crate) run: &'a str,
    pub(crate) step: &'a str,
    pub(crate) key: &'a str,
}

impl Recovery {
    /// Binds what a manifest says.
    ///
    /// # Errors
    ///
    /// What does not fit the inputs, in words.
    pub(crate) fn bind(
        verify: &[Verify],
        binding: Binding<'_>,
        names: StepNames<'_>,
    ) -> Result<Self, String> {
        let way = |verify: &Verify| -> Result<Option<Way>, String> {
            let rule = json!({"method": verify.method, "path": verify.path});
            let scope = Scope::http(&[rule], binding).map_err(|error| error.to_string())?;
            let Scope::Http(writes) = scope else { return Ok(None) };
            let how = match (&verify.look, &verify.contains) {
                _ if verify.recognised => How::Recognised,
                (Some(look), Some(text)) => {
                    let path = binding.text(look)?;
                    let text = binding.text(&names.put_into(text))?;
                    let (Some(path), Some(text)) = (path, text) else { return Ok(None) };
                    // A text that is everywhere would prove anything.
                    if text.trim().is_empty() || Target::parse(&path).is_err() {
                        return Ok(None);
                    }
                    How::Look(LookAt { path, text })
                }
                _ => return Ok(None),
            };
            Ok(Some(Way { writes, how }))
        };
        let ways: Result<Vec<Option<Way>>, String> = verify.iter().map(way).collect();
        Ok(Self(ways?.into_iter().flatten().collect()))
    }

    /// The way for a write.
    pub(crate) fn of(&self, method: &str, path: &str) -> Option<&How> {
        self.0.iter().find(|way| check(&way.writes, method, path).is_ok()).map(|way| &way.how)
    }
}

impl How {
    pub(crate) fn repeatable(&self) -> Repeatable {
        match self {
            Self::Recognised => Repeatable::Recognised,
            Self::Look(_) => Repeatable::Verifiable,
        }
    }
}

impl StepNames<'_> {
    fn put_into(&self, text: &str) -> String {
        text.replace("${step.key}", self.key)
            .replace("${step.name}", self.step)
            .replace("${run.id}", self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: StepNames<'_> = StepNames { run: "r1", step: "tell", key: "k1" };

    fn look(look: &str, contains: &str) -> Verify {
        Verify {
            method: "POST".into(),
            path: "/incidents/${inputs.id}/timeline".into(),
            look: Some(look.into()),
            contains: Some(contains.into()),
            recognised: false,
        }
    }

    #[test]
    fn a_way_is_bound_to_this_step_and_no_other_request() {
        let inputs = json!({"id": "7"});
        let verify = look("/incidents/${inputs.id}/timeline", "${run.id} ${step.key}");
        let ways = Recovery::bind(&[verify], Binding::all(&inputs), NAMES).expect("bind");

        let expected = LookAt { path: "/incidents/7/timeline".into(), text: "r1 k1".into() };
        assert_eq!(ways.of("POST", "/incidents/7/timeline"), Some(&How::Look(expected)));
        assert_eq!(ways.of("POST", "/incidents/8/timeline"), None);
        assert_eq!(ways.of("PATCH", "/incidents/7/timeline"), None);
    }

    #[test]
    fn a_way_that_would_prove_anything_is_none() {
        let inputs = json!({"id": "7"});
        for verify in [look("/x", " "), look("http://elsewhere/", "k")] {
            let ways = Recovery::bind(&[verify], Binding::all(&inputs), NAMES).expect("bind");
            assert_eq!(ways.of("POST", "/incidents/7/timeline"), None);
        }
    }
}

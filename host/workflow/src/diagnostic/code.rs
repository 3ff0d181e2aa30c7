//! The one list of everything that can be found in a workflow.
//!
//! A code is a promise to scripts: its name never changes its meaning.

use super::Severity;

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $explanation:literal;)+) => {
        /// What a finding is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $explanation] $variant,)+
        }

        impl Code {
            /// Every code, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name: small letters and `-`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How bad it usually is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)+ }
            }
        }
    };
}

codes! {
    BadSchedule "bad-schedule" Error "A schedule is no cron expression, so it would never fire.";
    Cycle "cycle" Error "Steps wait for each other in a circle, so none of them could start.";
    DroppedTag "dropped-tag" Warning "A tag stands where values are plain data; it has no effect there.";
    DuplicateStep "duplicate-step" Error "Two steps have the same name, so a reference could mean either.";
    EmptyText "empty-text" Error "A text that must say something is empty.";
    FunctionArguments "function-arguments" Error "A function is called with arguments that it does not take.";
    IgnoredKey "ignored-key" Warning "Relay acts on this key, Bowline does not.";
    MalformedExtras "malformed-extras" Error "What only this host reads of a workflow or a step can't be understood.";
    MalformedReference "malformed-reference" Error "A reference lacks a name that is a plain text.";
    MissingConnection "missing-connection" Error "The plugin needs a connection and the step names none.";
    MissingInput "missing-input" Error "The plugin needs an input and the step has none.";
    MissingKey "missing-key" Error "A key that must be there is not.";
    MissingPlugin "missing-plugin" Error "No plugin answers to the image of a step.";
    MoreFindings "more-findings" Hint "There are more findings than are told.";
    NeverRuns "never-runs" Warning "The condition of a step is false whatever happens.";
    NotAUri "not-a-uri" Error "A text must be an absolute URI and is not.";
    NotFinite "not-finite" Error "Infinity and not-a-number can't be part of a value.";
    OutOfPlace "out-of-place" Error "A reference stands where it never has a value.";
    PluginInput "plugin-input" Error "An input is not what the plugin takes.";
    PluginSchema "plugin-schema" Warning "The plugin's own description of its inputs can't be read.";
    RefusedPlugin "refused-plugin" Error "A plugin was found and may not be used.";
    Script "script" Error "A step brings a script or a command; steps are plugins and run neither.";
    SelfDependency "self-dependency" Error "A step waits for itself.";
    StepName "step-name" Error "A step's name is too long or can't be printed.";
    TagForm "tag-form" Error "A tag is followed by something that it does not take.";
    TemplateSyntax "template-syntax" Error "The text between `${` and `}` is no expression.";
    UnboundParameter "unbound-parameter" Warning "A trigger starts a run without a parameter that the run needs.";
    UndeclaredParameter "undeclared-parameter" Error "A parameter is used and not declared, so it never has a value.";
    UnknownConnection "unknown-connection" Error "The operator's configuration has no such connection.";
    UnknownFunction "unknown-function" Error "There is no such function.";
    UnknownGrant "unknown-grant" Error "A step grants something to a connection that its plugin does not ask for.";
    UnknownInput "unknown-input" Error "The plugin does not know an input that the step gives.";
    UnknownKey "unknown-key" Warning "The language has no such key; it has no effect.";
    UnknownOutput "unknown-output" Error "The plugin of a step gives no such output.";
    UnknownRoot "unknown-root" Error "A template begins with a name that means nothing here.";
    UnknownStep "unknown-step" Error "A reference leads to a step that the workflow does not have.";
    UnknownTag "unknown-tag" Error "The language has no such tag.";
    UnsupportedValue "unsupported-value" Error "A key has a value that is not one of those it can have.";
    UnusedParameter "unused-parameter" Hint "A parameter is declared and never used.";
    WhenType "when-type" Error "A condition comes to something that is neither true nor false.";
    WrongConnectionType "wrong-connection-type" Error "The connection is of another type than the plugin needs.";
    WrongType "wrong-type" Error "A value is of another type than its key takes.";
    YamlAlias "yaml-alias" Error "An alias leads to no anchor, or into itself.";
    YamlDocuments "yaml-documents" Warning "The file has more than one document; only the first is read.";
    YamlDuplicateKey "yaml-duplicate-key" Error "A mapping has the same key twice.";
    YamlKey "yaml-key" Error "The key of a mapping is not a text.";
    YamlLimit "yaml-limit" Error "The file is larger or deeper than any workflow needs to be.";
    YamlMerge "yaml-merge" Error "A merge key is followed by something that is no mapping.";
    YamlSyntax "yaml-syntax" Error "The file is not YAML.";
    YamlValue "yaml-value" Error "A value does not fit the YAML tag before it.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_listed_by_name_and_once() {
        let names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn each_code_is_small_letters_and_explained_in_one_sentence() {
        for code in Code::ALL {
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}");
            assert!(code.explanation().ends_with('.'), "{code}");
            assert_eq!(code.explanation().matches('\n').count(), 0, "{code}");
        }
    }
}

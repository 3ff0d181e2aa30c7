//! What holds for every text: nothing panics, and nothing of it can steer a terminal.

use proptest::prelude::*;
use std::collections::BTreeMap;
use workflow::render::{self, Colour};
use workflow::{CheckOptions, Signatures, SourceFile, check, plan};

/// Checks a text, draws everything that was found, and plans it if it can be planned.
fn look_at(source: &SourceFile) -> Result<(), TestCaseError> {
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };
    let checked = check(source, &Signatures::new(), &options);
    let has_error = checked.diagnostics.iter().any(workflow::Diagnostic::is_error);
    prop_assert_eq!(checked.workflow.is_none(), has_error);
    for diagnostic in &checked.diagnostics {
        prop_assert!(diagnostic.span.start <= diagnostic.span.end);
        prop_assert!(diagnostic.span.end <= source.text().len());
        prop_assert!(!diagnostic.message.contains(char::is_control));
        let drawn = render::text(diagnostic, source, Colour::Never);
        prop_assert!(!drawn.contains(|c: char| c.is_control() && c != '\n'), "{:?}", drawn);
        let _ = render::json(diagnostic, source);
    }
    if let Some(workflow) = checked.workflow {
        let _ = plan(&workflow, "sha256:0", BTreeMap::new());
        let _ = workflow.graph();
    }
    Ok(())
}

/// Pieces of workflows, so that most texts get past the YAML.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "steps:\n",
        "- name: a\n",
        "- name: b\n",
        "  image: x\n",
        "  type: approval\n",
        "  spec:\n",
        "    x: !Parameter p\n",
        "    y: ${outputs.a.b}\n",
        "    z: !Output [a, b]\n",
        "  when: ",
        "true\n",
        "!Fn.equals [1, 2]\n",
        "  dependsOn: a\n",
        "  dependsOn: [a, b]\n",
        "parameters:\n",
        "  p: {default: 1}\n",
        "  q:\n",
        "triggers:\n",
        "  source: {type: push}\n",
        "    <<: *anchor\n",
        "&anchor ",
        "*anchor",
        "!Connection {type: k, name: n}",
        "\n",
        " ",
        "${",
        "}",
        "'",
        "\"",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "- ",
        "|\n",
        "!!binary ",
        "!Fn.",
        "\u{1b}[2J",
        "ü",
        "\u{85}",
        "\u{202e}",
        "\t",
        "\r\n",
        "---\n",
        "# x\n",
        "%YAML 1.1\n",
        "5",
        ".nan",
        "2020-01-01",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_are_looked_at_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(source) = SourceFile::from_bytes("any.yaml", &bytes) {
            look_at(&source)?;
        }
    }

    #[test]
    fn any_text_is_looked_at_without_a_panic(text in "\\PC*|(?s).{0,200}") {
        look_at(&SourceFile::new("any\u{7}.yaml", text))?;
    }

    #[test]
    fn any_pile_of_pieces_is_looked_at_without_a_panic(text in pieces()) {
        look_at(&SourceFile::new("any.yaml", text))?;
    }

    #[test]
    fn any_template_is_looked_at_without_a_panic(inner in "[a-z.$'|>(){}\\[\\], \"`0-9+*!=&/\\\\-]{0,40}") {
        let inner = inner.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!("steps:\n- name: a\n  image: x\n  spec: {{x: \"y ${{{inner}}}\"}}\n");
        look_at(&SourceFile::new("any.yaml", text))?;
    }
}

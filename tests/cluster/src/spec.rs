//! From what follows `kubectl` to the workflow that asks the step for the same.
//!
//! Pure: text in, text out.

use crate::scenario::Scenario;
use serde_json::{Map, Value, json};

/// The name of the step in the generated workflow.
const STEP: &str = "act";

/// The step's spec without the connection.
fn derive(scenario: &Scenario, namespace: &str) -> Map<String, Value> {
    let words = scenario.kubectl.list();
    let mut spec = Map::new();
    spec.insert("command".to_owned(), json!(words[0]));
    spec.insert("namespace".to_owned(), json!(namespace));
    let mut args = Vec::new();
    for word in &words[1..] {
        let apply = words[0] == "apply";
        match word.as_str() {
            // The step applies on the server's side only, and takes no path of this machine.
            "--server-side" | "-f" | "FILE" if apply => {}
            "--force-conflicts" if apply => {
                spec.insert("force_conflicts".to_owned(), json!(true));
            }
            word if apply && word.starts_with("--dry-run=") => {
                let how = word.trim_start_matches("--dry-run=");
                spec.insert("dry_run".to_owned(), json!(how));
            }
            word => args.push(json!(word)),
        }
    }
    if !args.is_empty() {
        spec.insert("args".to_owned(), Value::Array(args));
    }
    if let Some(manifest) = &scenario.manifest {
        let manifest = manifest.replace("NAMESPACE", namespace);
        spec.insert("manifest".to_owned(), json!(manifest));
    }
    for (key, value) in &scenario.spec {
        if value.is_null() {
            spec.remove(key);
        } else {
            spec.insert(key.clone(), value.clone());
        }
    }
    spec
}

/// A workflow of one step.
pub(crate) fn workflow(scenario: &Scenario, namespace: &str) -> String {
    let mut lines = vec![
        // kubectl tries once.
        "x-bowline: {retry: {attempts: 1}}".to_owned(),
        "steps:".to_owned(),
        format!("  - name: {STEP}"),
        "    image: relaysh/kubernetes-step-kubectl".to_owned(),
        "    spec:".to_owned(),
        "      cluster:".to_owned(),
        "        name: control-plane".to_owned(),
        format!("        connection: !Connection {{type: kubernetes, name: {}}}", scenario.user),
    ];
    let spec = derive(scenario, namespace);
    // JSON is YAML.
    lines.extend(spec.iter().map(|(key, value)| format!("      {key}: {value}")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Value {
        let scenario: Vec<Scenario> = serde_saphyr::from_str(text).unwrap();
        Value::Object(derive(&scenario[0], "ns"))
    }

    #[test]
    fn a_command_line_becomes_a_spec() {
        let cases = [
            (
                "- {name: a, kubectl: rollout undo deployment/web}",
                json!({"command": "rollout", "namespace": "ns", "args": ["undo", "deployment/web"]}),
            ),
            (
                "- {name: a, kubectl: apply --server-side --force-conflicts --dry-run=server -f FILE, manifest: 'x: NAMESPACE'}",
                json!({"command": "apply", "namespace": "ns", "manifest": "x: ns",
                    "force_conflicts": true, "dry_run": "server"}),
            ),
            (
                "- {name: a, kubectl: get pods, spec: {command: get pods, args: null}}",
                json!({"command": "get pods", "namespace": "ns"}),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(spec(text), expected, "{text}");
        }
    }
}

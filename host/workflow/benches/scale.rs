//! How long it takes to check and plan workflows of growing length: `cargo bench -p workflow`.
//!
//! The last column should stay the same from line to line. No test depends on these times.

#![expect(clippy::print_stdout, reason = "its output is what a bench is for")]

use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;
use workflow::{
    CheckOptions, Manifest, PluginPin, Resolution, Signature, Signatures, SourceFile, check, plan,
};

fn main() {
    println!(
        "{:>8} {:>10} {:>10} {:>10} {:>12}",
        "steps", "bytes", "check ms", "plan ms", "µs per step"
    );
    for steps in [1_000, 10_000, 40_000] {
        let source = SourceFile::new("scale.yaml", workflow_of(steps));
        let signatures = signatures();
        let begin = Instant::now();
        let checked = check(&source, &signatures, &CheckOptions::default());
        let check_time = begin.elapsed();
        let workflow = checked.workflow.expect("a workflow without mistakes");
        let begin = Instant::now();
        let planned = plan(&workflow, "sha256:0", BTreeMap::new()).expect("a plan");
        let plan_time = begin.elapsed();
        assert_eq!(planned.steps.len(), steps);
        println!(
            "{steps:>8} {:>10} {:>10} {:>10} {:>12.1}",
            source.text().len(),
            check_time.as_millis(),
            plan_time.as_millis(),
            (check_time + plan_time).as_secs_f64() * 1e6 / steps as f64,
        );
    }
    hostile();
}

/// Texts that made other readers slow.
fn hostile() {
    let laughs = (1..12).fold(
        "steps:\n- name: a\n  image: x\n  spec:\n    a0: &a0 [x]\n".to_owned(),
        |text, n| {
            let items = vec![format!("*a{}", n - 1); 9].join(", ");
            format!("{text}    a{n}: &a{n} [{items}]\n")
        },
    );
    let keys = (0..500_000).fold(String::new(), |mut text, n| {
        writeln!(text, "key{n}:").expect("write");
        text
    });
    let wrong = (0..10_000).fold("steps:\n".to_owned(), |mut text, n| {
        writeln!(text, "- {{name: step-{n}, image: x, dependsOn: stpe-{n}}}").expect("write");
        text
    });
    let texts = [
        ("100,000 brackets", format!("locals: {{a: {}", "[".repeat(100_000))),
        ("a billion laughs", laughs),
        ("500,000 unknown keys", keys),
        ("10,000 mistakes", wrong),
    ];
    for (name, text) in texts {
        let source = SourceFile::new("hostile.yaml", text);
        let begin = Instant::now();
        let checked = check(&source, &Signatures::new(), &CheckOptions::default());
        println!(
            "{name}: {} findings, {} ms",
            checked.diagnostics.len(),
            begin.elapsed().as_millis()
        );
    }
}

fn workflow_of(steps: usize) -> String {
    let mut text = "parameters:\n  deployment: {default: web}\nsteps:\n".to_owned();
    for step in 0..steps {
        write!(
            text,
            "- name: step-{step}\n  image: rollback\n  spec:\n    \
             deployment: !Fn.concat [\"app-\", !Parameter deployment]\n    \
             connection: !Connection {{type: kubernetes, name: prod}}\n    \
             namespace: ns-${{parameters.deployment}}\n"
        )
        .expect("write to a text");
        if step > 0 {
            let (last, half) = (step - 1, step / 2);
            write!(
                text,
                "    from: !Output {{from: step-{last}, name: revision}}\n  \
                 dependsOn: [step-{last}, step-{half}]\n  \
                 when: ${{steps.step-{last}.succeeded}}\n"
            )
            .expect("write to a text");
        }
    }
    text
}

fn signatures() -> Signatures {
    let manifest: Manifest = serde_json::from_value(json!({
        "schema": 1, "name": "rollback", "version": "1.0.0", "summary": "For the bench",
        "inputs": {"type": "object", "required": ["deployment"], "properties": {
            "deployment": {"type": "string"}, "namespace": {"type": "string"},
            "connection": {"type": "object"}, "from": {"type": "integer"}}},
        "outputs": {"properties": {"revision": {"type": "integer"}}},
        "connections": {"cluster": {"type": "kubernetes", "from": ["/connection"],
                                    "reason": "For the bench", "allow": []}},
    }))
    .expect("a manifest");
    let digest = format!("sha256:{}", "0".repeat(64));
    let pin = PluginPin {
        name: "rollback".to_owned(),
        version: "1.0.0".to_owned(),
        digest,
        signer: None,
    };
    let found = Resolution::Found(Box::new(Signature { pin, manifest }));
    BTreeMap::from([("rollback".to_owned(), found)])
}

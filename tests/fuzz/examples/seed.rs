//! Writes the corpus: every input of the recorded cases and every published workflow, sorted by
//! target. Run from the folder of this crate: `cargo run --example seed`.

use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let relay = here.join("../../../shared/relay");
    let Ok(text) = fs::read_to_string(relay.join("conformance.json")) else {
        eprintln!("SKIPPED: the recorded cases are not at {}", relay.display());
        return Ok(());
    };
    let cases: Vec<Value> = serde_json::from_str(&text)?;
    let mut corpus = Corpus { folder: here.join("corpus"), written: 0 };
    for case in &cases {
        let input = &case["input"];
        match case["kind"].as_str().unwrap_or_default() {
            "yaml-parse" | "expr-yaml" => corpus.add("yaml", text_of(input))?,
            "workflow" => corpus.add("yaml", text_of(&input["yaml"]))?,
            "template" | "cron" => corpus.add("template", text_of(input))?,
            "expr-json" | "conditions" | "function" => {
                for text in texts_in(input) {
                    corpus.add("template", text)?;
                }
            }
            "query" | "jsonpath" | "jsonpath-template" => {
                corpus.add("query", text_of(&case["query"]))?;
            }
            _ => (),
        }
    }
    for entry in fs::read_dir(relay.join("workflows"))? {
        let path = entry?.path();
        if path.is_file() {
            corpus.add("yaml", &fs::read_to_string(path)?)?;
        }
    }
    println!("{} texts in {}", corpus.written, corpus.folder.display());
    Ok(())
}

struct Corpus {
    folder: PathBuf,
    written: usize,
}

impl Corpus {
    fn add(&mut self, target: &str, text: &str) -> Result<(), Box<dyn Error>> {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("case-{:04}", self.written)), text)?;
        self.written += 1;
        Ok(())
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_in).collect(),
        Value::Object(members) => members.values().flat_map(texts_in).collect(),
        _ => Vec::new(),
    }
}

//! `bowline schema`: what an editor needs to complete and check a workflow file.

use crate::arguments::SchemaArguments;
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring;
use std::path::Path;

pub(crate) fn run(arguments: &SchemaArguments, output: &Output) -> anyhow::Result<Exit> {
    if arguments.tags {
        output.line(&format!("{:#}", serde_json::Value::from(workflow::custom_tags())));
        return Ok(Exit::Success);
    }
    let settings = wiring::settings(&arguments.config, None)?;
    let mut catalog = wiring::catalog(&settings)?;
    let names: Vec<String> = catalog.names();
    let signatures = catalog.resolve(names.iter().map(String::as_str), Path::new(""));
    let schema = workflow::schema(&signatures);
    output.line(&format!("{schema:#}"));
    Ok(Exit::Success)
}

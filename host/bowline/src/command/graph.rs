//! `bowline graph WORKFLOW`: which step waits for which.

use super::check::check_file;
use crate::arguments::{ConfigArguments, GraphArguments, GraphFormat};
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring;
use workflow::CheckOptions;

pub(crate) fn run(arguments: &GraphArguments, output: &Output) -> anyhow::Result<Exit> {
    let source = wiring::read_workflow(&arguments.workflow)?;
    let settings = wiring::settings(&ConfigArguments { config: None }, Some(&arguments.workflow))?;
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };
    let checked = check_file(&source, &arguments.workflow, &settings, None, options)?;
    let Some(workflow) = checked.workflow else {
        output.diagnostics(&checked.diagnostics, &source);
        return Ok(Exit::Usage);
    };
    let graph = workflow.graph();
    output.text(&match arguments.format {
        GraphFormat::Text => views::graph::text(workflow.name(), &graph, &output.look()),
        GraphFormat::Mermaid => views::graph::mermaid(workflow.name(), &graph),
        GraphFormat::Dot => views::graph::dot(workflow.name(), &graph),
        GraphFormat::Svg => views::graph::svg(workflow.name(), &graph),
    });
    Ok(Exit::Success)
}

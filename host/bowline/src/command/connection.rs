//! `bowline connection list|check`: never prints a credential.

use crate::arguments::ConnectionCommand;
use crate::exit::Exit;
use crate::output::{Output, visible};
use crate::wiring;
use anyhow::{Context as _, bail};
use connections::Connections;
use sandbox::Reference;
use serde_json::json;

pub(crate) async fn run(command: &ConnectionCommand, output: &Output) -> anyhow::Result<Exit> {
    match command {
        ConnectionCommand::List { config, json } => {
            let settings = wiring::settings(config, None)?;
            let place = settings.path.clone();
            list(&Connections::new(settings)?, place.as_deref(), *json, output).await
        }
        ConnectionCommand::Check { name, config, json } => {
            let connections = Connections::new(wiring::settings(config, None)?)?;
            check(&connections, name, *json, output).await
        }
    }
}

async fn list(
    connections: &Connections,
    place: Option<&std::path::Path>,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let all = connections.list();
    if all.is_empty() && !as_json {
        output.note(&match place {
            Some(place) => format!("`{}` sets no connections", place.display()),
            None => "there is no bowline.yaml, so no connections are set".to_owned(),
        });
        output.note("types that can be set under `connections`:");
        for (kind, summary) in connections.types() {
            output.note(&format!("  {kind:12} {summary}"));
        }
    }
    for reference in all {
        let ready = connections.try_open(&reference).await;
        if as_json {
            let problem = ready.as_ref().err().map(ToString::to_string);
            output.line(
                &json!({
                    "type": reference.kind,
                    "name": reference.name,
                    "usable": ready.is_ok(),
                    "problem": problem,
                })
                .to_string(),
            );
            continue;
        }
        match ready {
            Ok(()) => output.line(&format!("{:40} ready", visible(&reference.id()))),
            Err(error) => {
                output.line(&format!("{:40} not usable", visible(&reference.id())));
                output.note(&format!("  {}", visible(&error.to_string())));
            }
        }
    }
    Ok(Exit::Success)
}

async fn check(
    connections: &Connections,
    name: &str,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let reference = find(connections, name)?;
    let report = connections.check(&reference).await?;
    let good = report.result.is_ok();
    let text = match &report.result {
        Ok(text) | Err(text) => visible(text),
    };
    if as_json {
        output.line(
            &json!({
                "type": reference.kind,
                "name": reference.name,
                "address": report.address,
                "ok": good,
                "message": text,
            })
            .to_string(),
        );
    } else {
        let id = visible(&reference.id());
        let word = if good { "works" } else { "does not work" };
        output.line(&format!("{id} {word} ({})", visible(&report.address)));
        output.line(&format!("  {text}"));
    }
    Ok(if good { Exit::Success } else { Exit::Failure })
}

/// `TYPE/NAME`, or a name that only one connection has.
fn find(connections: &Connections, name: &str) -> anyhow::Result<Reference> {
    if let Some((kind, name)) = name.split_once('/') {
        return Ok(Reference { kind: kind.to_owned(), name: name.to_owned() });
    }
    let mut named: Vec<Reference> =
        connections.list().into_iter().filter(|reference| reference.name == name).collect();
    match named.len() {
        0 => bail!(
            "no connection is called `{}`; `bowline connection list` shows those that are set",
            name.escape_debug()
        ),
        1 => named.pop().context("one was found"),
        _ => {
            let ids: Vec<String> = named.iter().map(Reference::id).collect();
            bail!("several connections are called `{name}`; name one of {}", ids.join(", "))
        }
    }
}

//! `bowline drill serve`, and the practice services for `run --drill`.

use crate::arguments::DrillCommand;
use crate::exit::Exit;
use crate::output::Output;
use crate::signals;
use anyhow::Context as _;
use connections::Settings;
use connections::policy::ConnectionRules;
use connections::settings::ANY_NAME;
use drill::{Drill, Options};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

pub(crate) async fn run(command: &DrillCommand, output: &Output) -> anyhow::Result<Exit> {
    let DrillCommand::Serve { config_out, listen } = command;
    let drill = Drill::start(Options { listen: *listen, ..Options::default() }).await?;
    write_settings(config_out, &settings_text(&drill))?;
    output.line(&format!(
        "ready: practice cluster {} and practice Datadog {}; use --config {}",
        drill.cluster().url,
        drill.datadog().url,
        config_out.display()
    ));
    signals::interrupted().await;
    Ok(Exit::Success)
}

/// Settings that lead every connection of a type that is practised, whatever its name, to the
/// practice services. The keys in them are good for nothing else.
pub(crate) fn settings_text(drill: &Drill) -> String {
    let (cluster, datadog, neighbours) = (drill.cluster(), drill.datadog(), drill.neighbours());
    let neighbour = |name: &str, credential: &str, key: &str| {
        json!({"*": {
            "baseUrl": format!("{}/{name}", neighbours.url),
            "certificateAuthority": neighbours.ca_pem,
            credential: {"value": key},
        }})
    };
    let connections = json!({
        "kubernetes": {"*": {
            "server": cluster.url,
            "certificateAuthority": cluster.ca_pem,
            "token": {"value": cluster.token},
        }},
        "datadog": {"*": {
            "baseUrl": datadog.url,
            "certificateAuthority": datadog.ca_pem,
            "apiKey": {"value": datadog.api_key},
            "applicationKey": {"value": datadog.application_key},
        }},
        "http": neighbour("http", "token", &neighbours.token),
        "pagerduty": neighbour("pagerduty", "routingKey", &neighbours.routing_key),
        "slack": neighbour("slack", "apiToken", &neighbours.token),
    });
    let mut text = String::from(
        "# Written by `bowline drill serve`: practice services on this machine, good until it ends.\n",
    );
    // JSON is YAML, and nothing in it needs YAML's own forms.
    let _ = writeln!(text, "connections: {connections:#}");
    text
}

/// The operator's settings with the practice services in the place of all connections.
pub(crate) fn practise(settings: Settings, drill: &Drill) -> anyhow::Result<Settings> {
    let practice = Settings::parse(&settings_text(drill), Path::new("drill"))?;
    let mut connections: BTreeMap<_, _> = practice.connections;
    // What the operator says of a connection is rehearsed with it; how to reach it is not.
    for (kind, named) in &settings.connections {
        let Some(practised) = connections.get_mut(kind) else { continue };
        let Some(any) = practised.get(ANY_NAME).cloned() else { continue };
        for (name, set) in named {
            let rules = ConnectionRules::members(set);
            if rules.is_empty() {
                continue;
            }
            let mut twin = any.clone();
            for (key, value) in rules {
                twin[key] = value;
            }
            practised.insert(name.clone(), twin);
        }
    }
    Ok(Settings { connections, ..settings })
}

/// Only for this user: the file holds keys, if only practice ones.
fn write_settings(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("can't write the settings to `{}`", path.display()))
}

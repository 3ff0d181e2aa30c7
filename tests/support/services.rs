//! `bowline drill serve` in a process of its own, and what it says of the requests that it got.

use super::Place;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The practice services; they end with this value.
pub(crate) struct Services {
    child: Child,
    url: String,
    authority: std::path::PathBuf,
}

impl Services {
    /// Starts them; `drill.yaml` in `place` then points at them.
    pub(crate) fn start(place: &Place) -> Self {
        let child = place
            .command(&["drill", "serve", "--config-out", "drill.yaml"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the services");
        // From here on they end, also where what follows goes wrong.
        let mut services = Self { child, url: String::new(), authority: place.path("ca.pem") };
        let stdout = services.child.stdout.take().expect("its stdout");
        let mut lines = BufReader::new(stdout).lines();
        let ready = lines.next().expect("a line").expect("readable");
        assert!(ready.starts_with("ready"), "{ready}");
        let settings = std::fs::read_to_string(place.path("drill.yaml")).expect("read settings");
        let json = &settings[settings.find('{').expect("JSON inside")..];
        let connections: Value = serde_json::from_str(json).expect("parse it");
        let datadog = &connections["datadog"]["*"];
        let pem = datadog["certificateAuthority"].as_str().expect("a CA");
        std::fs::write(&services.authority, pem).expect("write");
        let mut keys = Vec::new();
        credentials(&connections, &mut keys);
        assert!(keys.len() >= 3, "a token and two keys");
        place.made("drill.yaml", keys);
        services.url = datadog["baseUrl"].as_str().expect("a base URL").to_owned();
        services
    }

    /// A fresh start: nothing was asked, nothing changed.
    pub(crate) fn reset(&self) {
        self.curl("reset", &["-X", "POST"]);
    }

    /// What happens to some of the next requests, as `drill::Fault`.
    pub(crate) fn fault(&self, fault: &Value) {
        self.curl("faults", &["-X", "POST", "--data-binary", &fault.to_string()]);
    }

    /// Everything that was asked, in order.
    pub(crate) fn requests(&self) -> Vec<Value> {
        serde_json::from_str(&self.curl("requests", &[])).expect("a list of requests")
    }

    /// How the practice cluster and the practice Datadog stand.
    pub(crate) fn picture(&self) -> Value {
        serde_json::from_str(&self.curl("picture", &[])).expect("a picture")
    }

    /// The requests of this method that took effect, as `METHOD PATH`.
    pub(crate) fn effects(&self) -> Vec<String> {
        let took = |request: &&Value| request["took_effect"] == true;
        let text = |request: &Value| {
            let part = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", part("method"), part("path"))
        };
        self.requests().iter().filter(took).map(text).collect()
    }

    fn curl(&self, what: &str, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--cacert"])
            .arg(&self.authority)
            .args(arguments)
            .arg(format!("{}/_drill/{what}", self.url))
            .output()
            .expect("start curl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The credentials in settings, wherever they stand.
fn credentials(settings: &Value, found: &mut Vec<String>) {
    match settings {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "value" => {
                        found.push(text.clone());
                    }
                    value => credentials(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| credentials(value, found)),
        _ => {}
    }
}

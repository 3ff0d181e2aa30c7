//! A pod template as `kubectl rollout history --revision` describes it.
//!
//! The parts that people compare; the whole template is in the step's output.

use crate::arguments::json_text;
use crate::members::{items, joined};
use serde_json::Value;

/// The description, beginning with `Pod Template:`.
#[must_use]
pub fn describe(template: &Value) -> String {
    let mut out = String::from("Pod Template:\n");
    pairs(&mut out, "  Labels:\t", &template["metadata"]["labels"], "=");
    if template["metadata"]["annotations"].as_object().is_some_and(|it| !it.is_empty()) {
        pairs(&mut out, "  Annotations:\t", &template["metadata"]["annotations"], ": ");
    }
    let spec = &template["spec"];
    if let Some(account) = spec["serviceAccountName"].as_str() {
        out.push_str(&format!("  Service Account:\t{account}\n"));
    }
    for (title, list) in
        [("  Init Containers:\n", "initContainers"), ("  Containers:\n", "containers")]
    {
        for (place, container) in items(&spec[list]).iter().enumerate() {
            if place == 0 {
                out.push_str(title);
            }
            describe_container(&mut out, container);
        }
    }
    out.push_str("  Volumes:");
    names(&mut out, &spec["volumes"], &|volume| {
        format!("   {}", volume["name"].as_str().unwrap_or_default())
    });
    pairs(&mut out, "  Node-Selectors:\t", &spec["nodeSelector"], "=");
    out.push_str("  Tolerations:");
    names(&mut out, &spec["tolerations"], &|it| format!("   {}", json_text(it)));
    out
}

fn describe_container(out: &mut String, container: &Value) {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => json_text(other),
    };
    out.push_str(&format!(
        "   {}:\n    Image:\t{}\n",
        text(&container["name"]),
        text(&container["image"])
    ));
    let ports = |name: &str| {
        let mut all = items(&container["ports"]).iter().map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            format!("{}/{protocol}", port[name].as_i64().unwrap_or_default())
        });
        let all = joined(&mut all, ", ");
        if all.is_empty() { "<none>".to_owned() } else { all }
    };
    out.push_str(&format!("    Port:\t{}\n", ports("containerPort")));
    out.push_str(&format!("    Host Port:\t{}\n", ports("hostPort")));
    out.push_str("    Environment:");
    names(out, &container["env"], &|it| {
        let value = match &it["valueFrom"] {
            Value::Null => text(&it["value"]),
            from => format!("<set from {}>", json_text(from)),
        };
        format!("      {}:\t{value}", text(&it["name"]))
    });
    out.push_str("    Mounts:");
    names(out, &container["volumeMounts"], &|it| {
        format!("      {} from {}", text(&it["mountPath"]), text(&it["name"]))
    });
}

fn names(out: &mut String, list: &Value, line: &dyn Fn(&Value) -> String) {
    let items = items(list);
    if items.is_empty() {
        out.push_str("\t<none>\n");
        return;
    }
    out.push('\n');
    for item in items {
        out.push_str(&line(item));
        out.push('\n');
    }
}

fn pairs(out: &mut String, title: &str, object: &Value, joint: &str) {
    out.push_str(title);
    let members = object.as_object().into_iter().flatten();
    let mut any = false;
    for (name, value) in members {
        if any {
            out.push('\t');
        }
        any = true;
        out.push_str(&format!("{name}{joint}{}\n", value.as_str().unwrap_or_default()));
    }
    if !any {
        out.push_str("<none>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_is_described_as_kubectl_does() {
        let template = json!({"metadata": {"labels": {"app": "web", "tier": "fe"}, "annotations": {"a": "b"}},
            "spec": {"initContainers": [{"name": "i", "image": "busybox"}],
                "containers": [{"name": "web", "image": "nginx:1", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "b"},
                    {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                "volumes": [{"name": "v"}], "nodeSelector": {"disk": "ssd"}}});
        let none = "    Port:\t<none>\n    Host Port:\t<none>\n";
        let expected = format!(
            "Pod Template:\n  Labels:\tapp=web\n\ttier=fe\n  Annotations:\ta: b\n  Init Containers:\n   i:\n    Image:\tbusybox\n{none}    Environment:\t<none>\n    Mounts:\t<none>\n  Containers:\n   web:\n    Image:\tnginx:1\n    Port:\t80/TCP\n    Host Port:\t0/TCP\n    Environment:\n      A:\tb\n      S:\t<set from {{\"secretKeyRef\":{{\"name\":\"s\"}}}}>\n    Mounts:\n      /v from v\n  Volumes:\n   v\n  Node-Selectors:\tdisk=ssd\n  Tolerations:\t<none>\n"
        );
        assert_eq!(describe(&template), expected);
    }
}

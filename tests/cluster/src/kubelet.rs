//! Stands in for the kubelets: says of each pod that it is ready, or that its image is broken.
//!
//! Patches the status of pods and touches nothing else; the controllers make progress of it.

use crate::api::Api;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

const ROUND: Duration = Duration::from_millis(100);
/// An image with this in its name can't be pulled.
const BROKEN: &str = "broken";

/// Serves the pods of a namespace until it is dropped.
pub(crate) async fn serve(api: Api, namespace: String) {
    loop {
        // The API server may be away for a while; that is what some scenarios are about.
        let _ = round(&api, &namespace).await;
        tokio::time::sleep(ROUND).await;
    }
}

async fn round(api: &Api, namespace: &str) -> Result<()> {
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    for pod in api.list(&pods).await? {
        if pod["status"]["containerStatuses"].is_array() {
            continue;
        }
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        // It may have been deleted meanwhile.
        let _ = api.patch(&format!("{pods}/{name}/status"), &status(&pod)).await;
    }
    Ok(())
}

fn status(pod: &Value) -> Value {
    let container = &pod["spec"]["containers"][0];
    let image = container["image"].as_str().unwrap_or_default();
    let ready = !image.contains(BROKEN);
    let state = if ready {
        json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    } else {
        let message = format!("Back-off pulling image \"{image}\"");
        json!({"waiting": {"reason": "ImagePullBackOff", "message": message}})
    };
    let condition = |kind: &str| {
        json!({"type": kind, "status": if ready { "True" } else { "False" },
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    json!({"status": {
        "phase": if ready { "Running" } else { "Pending" },
        "conditions": [condition("Ready"), condition("ContainersReady")],
        "containerStatuses": [{
            "name": container["name"], "image": image, "imageID": "", "restartCount": 0,
            "ready": ready, "started": ready, "state": state,
        }],
    }})
}

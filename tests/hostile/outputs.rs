//! G: credentials, and what a plugin gives back.

use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use serde_json::json;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("G1", "says a credential that a server echoed", &[Layer::Redact], echoed)]
}

fn echoed(stage: &mut Stage) -> String {
    let server = stage.serve(|request| (200, "text/plain", format!("{:?}", request.headers)));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "path": "/echo"}},
    ]));
    let results = run.results();
    let body = results[1]["ok"]["body"].as_str().expect("a body");
    assert!(body.contains("***"), "{results:?}");
    "masked".to_owned()
}

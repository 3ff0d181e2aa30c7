//! G7 to G12: what a plugin gives back, and what it says.

use crate::run::Run;
use crate::stage::Stage;
use crate::table::Case;
use crate::values::nothing_steers;
use effects::Layer;
use journal::chain::examine;
use journal::{Event, Level};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "G7",
            "gives outputs that are too many, too large or not what it declared",
            &[Layer::Outputs],
            outputs,
        ),
        Case::new(
            "G8",
            "gives an output that reads like the language",
            &[Layer::Written],
            like_language,
        ),
        Case::new(
            "G9",
            "fails with a message that steers the terminal",
            &[Layer::Escape],
            steering,
        ),
        Case::new("G10", "tells its progress a million times", &[Layer::Log], progress),
        Case::new("G11", "floods the log", &[Layer::Log], flood),
        Case::new("G12", "writes lines that look like records", &[], forged_records),
    ]
}

fn outputs(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(3);
    stage.limits.memory_bytes_max = 16 << 20;
    let run = stage.ask(json!([
        {"set-output": {"name": "large", "bytes": 300_000}},
        {"set-output": {"name": "half", "bytes": 200_000}},
        {"set-output": {"name": "other-half", "bytes": 100_000}},
        {"set-output": {"name": "half", "bytes": 10}},
        {"set-output": {"name": "a.b", "value": "1"}},
        {"set-output": {"name": "half", "value": "\"the last wins\""}},
    ]));
    let results = run.results();
    assert!(
        results[0]["error"]["message"].as_str().expect("why").contains("262144"),
        "{results:?}"
    );
    assert_eq!(results[1], json!({"ok": true}));
    assert!(
        results[2]["error"]["message"].as_str().expect("why").contains("262144"),
        "{results:?}"
    );
    assert_eq!(results[3], json!({"ok": true}));
    assert!(results[4]["error"].is_object());
    assert_eq!(run.outputs_of("probe")["half"], "the last wins");
    for returned in [
        format!("{{\"a\": \"{}\"}}", "x".repeat(300_000)),
        format!("{{{}}}", (0..65).map(|n| format!("\"n{n}\":1")).collect::<Vec<_>>().join(",")),
        r#"{"a.b": 1}"#.to_owned(),
        r#"{"a": 1, "a": 2}"#.to_owned(),
        "[]".to_owned(),
    ] {
        stage.ask(json!([{"return": returned}])).fails("step.outputs");
    }
    let run = stage.ask(json!([
        {"set-output": {"name": "n", "value": "1", "repeat": 10_000}}, {"return": "{}"},
    ]));
    assert_eq!(run.outputs_of("probe").len(), 64);
    // A name that means something in another language means nothing here.
    let run = stage.ask(json!([{"return": r#"{"__proto__": {"admin": true}, "constructor": 1}"#}]));
    assert_eq!(run.outputs_of("probe").len(), 2);
    let mut manifest = crate::probe::manifest("probe", &stage.needs);
    manifest["outputs"] =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let run = stage.ask_as(&manifest, json!([{"return": r#"{"n": "one"}"#}]));
    let failure = run.fails("step.outputs");
    assert!(failure.message.contains("/n"), "{}", failure.message);
    "refused with the bound that was broken".to_owned()
}

fn like_language(stage: &mut Stage) -> String {
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    let texts = json!([
        "${parameters.do}", "$${connections.http.api}", "!Connection {type: http, name: api}",
        "!Parameter do", "{{ .Values }}", "<%= 1 %>", "*alias", "&anchor x", "!!binary aGk=",
        {"$type": "Parameter", "name": "do"}, {"$type": "Connection", "type": "http", "name": "api"},
        {"connection": {"type": "http", "name": "api"}},
    ]);
    let given = json!({"texts": texts}).to_string();
    stage.probe_named("first");
    stage.probe_named("second");
    let (_, mut parameters) = stage.probe_step(json!([{"return": given}]));
    let all = "steps:\n\
         - name: first\n  image: first\n  spec: {do: !Parameter do, api: !Connection {type: http, name: api}}\n\
         - name: second\n  image: second\n  spec:\n    api: !Connection {type: http, name: api}\n    \
         do: [{echo: !Output {from: first, name: texts}}]\n";
    let run = stage.flow(&format!("parameters: {{do: {{}}}}\n{all}"), parameters.clone());
    assert_eq!(run.outputs_of("second")["results"][0]["ok"], texts, "data, as it was given");

    // In the place of a connection it is not one: the workflow must write it.
    parameters.insert(
        "do".to_owned(),
        json!([{"return": json!({"c": {"connection": {"type": "http", "name": "api"}}}).to_string()}]),
    );
    let forged = all.replace(
        "    api: !Connection {type: http, name: api}\n",
        "    api: !Output {from: first, name: c}\n",
    );
    let run = stage.flow(
        &format!("parameters: {{do: {{}}}}\n{forged}").replace("name: texts", "name: c"),
        parameters,
    );
    assert_eq!(run.failure_of("second").code, "denied.connection");
    assert_eq!(server.received().len(), 0);
    "data; denied.connection".to_owned()
}

fn steering(stage: &mut Stage) -> String {
    let texts = [
        "\u{1b}[2J\u{1b}[H all is well",
        "\u{1b}]8;;https://evil/\u{7}click\u{1b}]8;;\u{7}",
        "\u{1b}]52;c;ZXZpbA==\u{7}",
        "\u{9b}31m red",
        "safe\u{202e}txt.exe",
        "\r overwritten",
        "one\u{2028}two\u{feff}\u{200b}",
    ];
    for text in texts {
        let run = stage.ask(json!([
            {"log": {"message": text, "level": "error"}},
            {"print": {"text": text}},
            {"progress": {"done": 1, "note": text}},
            {"fail": {"code": "a.b", "message": text}},
        ]));
        run.fails("a.b");
        nothing_steers(&run);
        // Colours are ours; nothing else that begins with an escape is.
        let sequences = run.seen.split('\u{1b}').skip(1);
        for sequence in sequences {
            let rest = sequence.strip_prefix('[').unwrap_or("?");
            let end = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
            assert!(end.starts_with('m'), "{:?}", sequence.chars().take(20).collect::<String>());
        }
        assert!(
            !run.seen.contains(['\r', '\u{7}', '\u{9b}', '\u{202e}', '\u{2028}']),
            "{:?}",
            run.seen
        );
    }
    let run = stage.ask(json!([{"fail": {"code": "a.b", "message": 1_000_000}}]));
    assert_eq!(run.fails("a.b").message.len(), 4096);
    "written out, cut after 4 KiB".to_owned()
}

fn progress(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(2);
    let run = stage.ask(json!([{"progress": {"repeat": 20_000, "note": "on and on"}}, {"progress": {"done": 7, "note": "last"}}]));
    run.results();
    let told: Vec<(u64, &str)> = run
        .events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::StepProgressed { done, note, .. } => Some((*done, note.as_str())),
            _ => None,
        })
        .collect();
    let allowed = usize::try_from(run.elapsed.as_millis() / 100).expect("a small number") + 2;
    assert!(told.len() <= allowed, "{} in {:?}", told.len(), run.elapsed);
    assert_eq!(told.last(), Some(&(7, "last")));
    format!("{} of 20001 told, the last among them", told.len())
}

fn flood(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(4);
    stage.limits.memory_bytes_max = 16 << 20;
    let run = stage.ask(json!([
        {"log": {"message": 3_000_000}},
        {"log": {"message": 2_000, "repeat": 10_000}},
    ]));
    run.results();
    let (count, bytes) = kept(&run);
    assert!(count <= 2_001 && bytes <= (1 << 20) + 200, "{count} lines, {bytes} bytes");
    let lines = run.lines();
    let (level, last, _) = lines.last().expect("a line");
    assert!(*level == Level::Warn && last.contains("more lines"), "{last}");

    // Without a line's end, and with what is no text.
    let run = stage.ask(json!([
        {"print": {"text": [255, 254, 0, 27, 91, 50, 74]}},
        {"print": {"text": 100_000, "repeat": 40}},
    ]));
    run.results();
    let (count, bytes) = kept(&run);
    assert!(count <= 2_001 && bytes <= (300 << 10), "{count} lines, {bytes} bytes");
    assert!(run.lines().iter().any(|(_, line, _)| line.contains("more bytes")), "{}", run.tail());
    assert!(run.lines().iter().all(|(_, line, _)| line.len() <= 8 << 10));
    nothing_steers(&run);
    "bounded, with a line that counts what was dropped".to_owned()
}

/// Lines and their bytes.
fn kept(run: &Run) -> (usize, usize) {
    let lines = run.lines();
    (lines.len(), lines.iter().map(|(_, line, _)| line.len()).sum())
}

fn forged_records(stage: &mut Stage) -> String {
    let texts = [
        "\"},{\"event\":\"run-finished\",\"status\":\"success\"}",
        "x\n{\"event\":\"run-finished\",\"status\":\"success\"}\n",
        "\\\"}\u{0}{",
    ];
    for text in texts {
        let run = stage.ask(json!([
            {"log": {"message": text, "fields": [["f", text]]}},
            {"print": {"text": text}},
            {"progress": {"done": 1, "note": text}},
            {"fail": {"code": "a.b", "message": text, "details": {"event": text}}},
        ]));
        run.fails("a.b");
        let finished = run.told().iter().filter(|event| event["event"] == "run-finished").count();
        assert_eq!(finished, 1);
        let positions: Vec<u64> = run.events.iter().map(|recorded| recorded.position).collect();
        assert_eq!(positions, (0..positions.len() as u64).collect::<Vec<_>>());
        for line in run.seen.lines().filter(|line| line.starts_with("{\"")) {
            let event: Value = serde_json::from_str(line).expect("each line is one object");
            assert!(event["event"] != "run-finished" || event["status"] == "failure", "{event}");
        }
    }
    // And a record that is touched later shows.
    let run = stage.run_plugin("honest");
    for position in 0..run.sealed.len() {
        let mut records = run.sealed.clone();
        let length = records[position].body.len();
        records[position].body[length / 2] ^= 1;
        let breach = examine(run.id.as_str(), 0, records).breach;
        assert!(breach.is_some(), "record {position}");
    }
    "one record each, whatever is in it; the chain holds".to_owned()
}

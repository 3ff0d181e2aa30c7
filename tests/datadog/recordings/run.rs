//! Runs the steps of many interactions at once, each with a connection of its own.

use super::Interaction;
use super::expected::{self, Ended};
use super::play::Play;
use crate::datadog::replay::{Answerer, Replay};
use crate::datadog::specification::Specification;
use crate::support::Place;
use crate::support::server::{Authority, Received};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// Steps of one run.
const STEPS_MAX: usize = 40;

/// For each interaction what is wrong, if anything is.
pub(crate) async fn all(interactions: &[&Interaction], plays: &[Play]) -> Vec<Option<String>> {
    let mut wrong: Vec<Option<String>> = Vec::new();
    let mut stepped = Vec::new();
    for (place, (one, play)) in interactions.iter().zip(plays).enumerate() {
        wrong.push(None);
        match play.step {
            Some(_) => stepped.push(place),
            None => wrong[place] = expected::readable(one).err(),
        }
    }
    for places in stepped.chunks(STEPS_MAX) {
        for (place, ended) in places.iter().zip(run(interactions, plays, places).await) {
            wrong[*place] = expected::compare(interactions[*place], &plays[*place], &ended).err();
        }
    }
    wrong
}

/// What the server needs to know about one step.
struct Served {
    path: String,
    answer: Box<Answerer>,
}

async fn run(interactions: &[&Interaction], plays: &[Play], places: &[usize]) -> Vec<Ended> {
    let authority = Authority::new();
    let served: Vec<Served> = places
        .iter()
        .map(|place| {
            let (one, play) = (interactions[*place].clone(), plays[*place].clone());
            let answer = move |asked: &Received| play.answer(&one, asked);
            Served { path: format!("/r/{place}"), answer: Box::new(answer) }
        })
        .collect();
    let asked: Arc<Mutex<Vec<(String, Received)>>> = Arc::default();
    let (log, specification) = (Arc::clone(&asked), Specification::read());
    let server = Replay::start(&authority, move |request| {
        let found = served.iter().find_map(|one| {
            let path = request.path.strip_prefix(one.path.as_str())?;
            path.starts_with('/').then(|| (one, path.to_owned()))
        });
        let (one, path) = found.ok_or_else(|| format!("{} leads nowhere", request.path))?;
        let request = Received { path, ..request.clone() };
        log.lock().expect("the log").push((one.path.clone(), request.clone()));
        if let Some(specification) = &specification {
            specification.check(&request).map_err(|why| format!("{}: {why}", one.path))?;
        }
        (one.answer)(&request)
    })
    .await;

    let place = Place::new();
    place.write("ca.pem", &authority.pem);
    place.write("bowline.yaml", settings(&server.url, places));
    let (workflow, parameters) = workflow(plays, places);
    place.write("workflow.yaml", workflow);
    place.write("parameters.yaml", Value::Object(parameters).to_string());
    let done = tokio::task::block_in_place(|| {
        place.run(&["run", "workflow.yaml", "--params-file", "parameters.yaml", "--json"])
    });
    assert!(matches!(done.code, 0 | 1), "{}\n{}", done.stdout, done.stderr);
    let events = done.json();
    let finished = done.finished();
    let complaints = server.complaints();
    let asked = asked.lock().expect("the log").clone();
    let ended = |place: &usize| {
        let (step, prefix) = (format!("r{place}"), format!("/r/{place}"));
        let of_step = |event: &&Value| event["step"] == step.as_str();
        let failed = events.iter().rev().filter(of_step).find(|it| it["event"] == "step-failed");
        Ended {
            outputs: finished["steps"][&step]["outputs"].clone(),
            succeeded: finished["steps"][&step]["status"] == "success",
            failure: failed.map_or(Value::Null, |event| event["failure"].clone()),
            requests: asked
                .iter()
                .filter(|(path, _)| *path == prefix)
                .map(|(_, request)| request.clone())
                .collect(),
            complaints: complaints
                .iter()
                .filter(|it| it.starts_with(&format!("{prefix}:")) || !it.starts_with("/r/"))
                .cloned()
                .collect(),
        }
    };
    places.iter().map(ended).collect()
}

fn settings(url: &str, places: &[usize]) -> String {
    let mut text = String::from("connections:\n  datadog:\n");
    for place in places {
        writeln!(
            text,
            "    r{place}: {{baseUrl: '{url}/r/{place}', certificateAuthority: {{file: ca.pem}}, \
             apiKey: {{value: api-key-0123456789}}, applicationKey: {{value: app-key-0123456789}}}}"
        )
        .expect("write into a string");
    }
    text
}

/// Each input is a parameter, so that recorded text is never read as the workflow's language.
fn workflow(plays: &[Play], places: &[usize]) -> (String, Map<String, Value>) {
    let (mut declared, mut steps) = (String::new(), String::new());
    let mut parameters = Map::new();
    for place in places {
        let play = &plays[*place];
        let image = play.step.expect("a step");
        let connection = format!("!Connection {{ type: datadog, name: r{place} }}");
        writeln!(
            steps,
            "  - name: r{place}\n    image: {image}\n    spec:\n      connection: {connection}"
        )
        .expect("write into a string");
        for (name, value) in &play.inputs {
            let parameter = format!("r{place}_{name}");
            writeln!(declared, "  {parameter}: {{}}").expect("write into a string");
            writeln!(steps, "      {name}: !Parameter {parameter}").expect("write into a string");
            parameters.insert(parameter, value.clone());
        }
    }
    (format!("parameters:\n{declared}steps:\n{steps}"), parameters)
}

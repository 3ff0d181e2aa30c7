//! From the answer to the outputs, within bounds.

use crate::{Inputs, Outputs};
use bowline_sdk::http::Response;
use bowline_sdk::{Failure, log, shown};
use serde_json::{Map, Value};

/// The most bytes of a JSON body that becomes an output.
const JSON_BYTES_MAX: usize = 128 << 10;
/// The most bytes of a text body that become an output.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// The most headers and the most parts of a body that may be asked for.
const WANTED_MAX: usize = 32;

/// Checks what is asked of the answer, before anything is sent.
///
/// # Errors
///
/// `config`.
pub(crate) fn check(inputs: &Inputs) -> Result<(), Failure> {
    if inputs.output_headers.len() > WANTED_MAX || inputs.extract.len() > WANTED_MAX {
        let message = format!("`output_headers` and `extract` name at most {WANTED_MAX} each");
        return Err(Failure::config(message));
    }
    inputs.extract.iter().try_for_each(|(name, pointer)| match pointer.as_str() {
        Some("") => Ok(()),
        Some(pointer) if pointer.starts_with('/') => Ok(()),
        _ => Err(Failure::config(format!(
            "`extract.{}` must be a JSON pointer, for example `/data/id`",
            shown(name)
        ))),
    })
}

/// The outputs for an answer whose status is good.
///
/// # Errors
///
/// When the body can't be read, or lacks what `extract` asks for.
pub(crate) fn outputs(answer: Response, inputs: &Inputs) -> Result<Outputs, Failure> {
    let status = answer.status();
    let mut outputs =
        Outputs { status: Some(status), headers: headers(&answer, inputs), ..Outputs::default() };
    let body = answer.bytes()?;
    log::info!("{} {} answered {status}", inputs.method, shown(&inputs.path));
    match serde_json::from_slice::<Value>(&body) {
        Ok(json) => {
            outputs.values = values(&json, inputs, status)?;
            outputs.truncated = body.len() > JSON_BYTES_MAX;
            outputs.json = Some(json).filter(|_| !outputs.truncated);
        }
        Err(_) if !inputs.extract.is_empty() => {
            let message = format!(
                "the answer (status {status}) is no JSON, so `extract` finds nothing in it"
            );
            return Err(missing(message, status));
        }
        Err(_) => {
            outputs.truncated = body.len() > TEXT_BYTES_MAX;
            let kept = &body[..body.len().min(TEXT_BYTES_MAX)];
            let text = String::from_utf8_lossy(kept);
            // A letter that the cut has split is left out.
            let text = if outputs.truncated { text.trim_end_matches('\u{fffd}') } else { &text };
            outputs.text = Some(text.to_owned()).filter(|text| !text.is_empty());
        }
    }
    if outputs.truncated {
        log::warn!("the answer has {} bytes; name the parts you need in `extract`", body.len());
    }
    Ok(outputs)
}

fn headers(answer: &Response, inputs: &Inputs) -> Map<String, Value> {
    let wanted = inputs.output_headers.iter();
    let found = wanted.filter_map(|name| Some((name.to_lowercase(), answer.header(name)?.into())));
    found.collect()
}

fn values(json: &Value, inputs: &Inputs, status: u16) -> Result<Map<String, Value>, Failure> {
    let mut values = Map::new();
    for (name, pointer) in &inputs.extract {
        let pointer = pointer.as_str().unwrap_or_default();
        let value = json.pointer(pointer).ok_or_else(|| {
            let (name, pointer) = (shown(name), shown(pointer));
            let message = format!(
                "the answer (status {status}) has nothing at `{pointer}`, which `extract.{name}` \
                 asks for"
            );
            missing(message, status)
        })?;
        values.insert(name.clone(), value.clone());
    }
    Ok(values)
}

/// The request was carried out; only its answer is not what the workflow needs.
fn missing(message: String, status: u16) -> Failure {
    Failure::permanent("http.invalid-answer", message).with_detail("status", status)
}

//! From the inputs to the request. What could not mean what it says is refused here.
//!
//! The host decides in the end what may be sent; this only tells mistakes early, in the words of the
//! inputs.

use crate::Inputs;
use bowline_sdk::http::Request;
use bowline_sdk::{Context, Failure, shown};
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest time for one try, in seconds.
const TIMEOUT_SECONDS_MAX: u32 = 120;

/// The request that the inputs describe.
///
/// # Errors
///
/// `config`.
pub(crate) fn request(ctx: &Context, inputs: &Inputs) -> Result<Request, Failure> {
    if !(1..=TIMEOUT_SECONDS_MAX).contains(&inputs.timeout_seconds) {
        let message = format!("`timeout_seconds` must be 1 to {TIMEOUT_SECONDS_MAX}");
        return Err(Failure::config(message));
    }
    check_path(&inputs.path)?;
    let method = inputs.method.as_str();
    let mut request = Request::with_method(method, inputs.path.as_str()).ok_or_else(|| {
        let method = shown(method);
        Failure::config(format!(
            "`method` can't be `{method}`; there are GET, HEAD, OPTIONS, POST, PUT, PATCH and \
             DELETE, in capitals"
        ))
    })?;
    for (name, value) in &inputs.query {
        request = request.query(name, plain("query", name, value)?);
    }
    for (name, value) in &inputs.headers {
        request = request.header(name, &plain("headers", name, value)?);
    }
    if let Some(name) = &inputs.idempotency_key_header {
        request = request.header(name, &ctx.idempotency_key());
    }
    let seconds = u64::from(inputs.timeout_seconds);
    with_body(request, inputs).map(|request| request.timeout(Duration::from_secs(seconds)))
}

fn check_path(path: &str) -> Result<(), Failure> {
    let why = if !path.starts_with('/') {
        "it must start with `/`; the address before it belongs to the connection"
    } else if path.contains(['?', '#']) {
        "write the query under `query`, and no fragment"
    } else {
        return Ok(());
    };
    Err(Failure::config(format!("`path` can't be `{}`: {why}", shown(path))))
}

fn with_body(request: Request, inputs: &Inputs) -> Result<Request, Failure> {
    let given = [inputs.json.is_some(), inputs.text.is_some(), inputs.form.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(Failure::config("give at most one of `json`, `text` and `form`"));
    }
    let own_type = inputs.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
    if let Some(json) = &inputs.json {
        // A header that comes twice means different things to different servers.
        return if own_type {
            let text = serde_json::to_string(json);
            let text = text.map_err(|error| Failure::config(format!("`json`: {error}")))?;
            Ok(request.text(&text))
        } else {
            request.json(json).map_err(|error| Failure::config(format!("`json`: {error}")))
        };
    }
    if let Some(form) = &inputs.form {
        if own_type {
            let message = "`form` brings its own content-type; leave it out of `headers`";
            return Err(Failure::config(message));
        }
        let pairs = pairs(form)?;
        return Ok(request.form(pairs.iter().map(|(name, value)| (*name, value.as_str()))));
    }
    Ok(match &inputs.text {
        Some(text) if own_type => request.text(text),
        Some(text) => request.header("content-type", "text/plain; charset=utf-8").text(text),
        None => request,
    })
}

fn pairs(form: &Map<String, Value>) -> Result<Vec<(&str, String)>, Failure> {
    form.iter().map(|(name, value)| Ok((name.as_str(), plain("form", name, value)?))).collect()
}

/// A value that is one text wherever it stands.
fn plain(what: &str, name: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(if *flag { "true" } else { "false" }.to_owned()),
        _ => {
            let name = shown(name);
            let message = format!("`{what}.{name}` must be a text, a number, true or false");
            Err(Failure::config(message))
        }
    }
}

//! Steps of workflows as texts.

/// A step that asks `http/api` for something; `extra` are further lines of the step.
pub(crate) fn ask(name: &str, path: &str, extra: &str) -> String {
    http(name, "GET", path, "", extra)
}

/// A step that writes something to `http/api`.
pub(crate) fn tell(name: &str, path: &str, extra: &str) -> String {
    http(name, "POST", path, "    json: {n: 1}\n", extra)
}

fn http(name: &str, method: &str, path: &str, spec: &str, extra: &str) -> String {
    let extra: String = extra.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "- name: {name}\n  image: http-request\n  spec:\n    connection: !Connection {{type: http, \
         name: api}}\n    method: {method}\n    path: {path}\n{spec}{extra}"
    )
}

/// A step of a plugin that takes nothing.
pub(crate) fn plain(name: &str, image: &str, extra: &str) -> String {
    let extra: String = extra.lines().map(|line| format!("  {line}\n")).collect();
    format!("- name: {name}\n  image: {image}\n{extra}")
}

/// A step that a person answers.
pub(crate) fn approval(name: &str, extra: &str) -> String {
    let extra: String = extra.lines().map(|line| format!("  {line}\n")).collect();
    format!("- name: {name}\n  type: approval\n{extra}")
}

/// A workflow of these steps; `root` stands before them.
pub(crate) fn workflow(root: &str, steps: &[String]) -> String {
    format!("{root}steps:\n{}", steps.concat())
}

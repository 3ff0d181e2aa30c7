//! Pictures as a reader and as an XML parser see them.

use super::*;
use crate::graph::examples::{HOSTILE, diamond, graph, hostile, runbook};
use expect_test::expect;

#[test]
fn a_runbook() {
    expect![[r##"
        <svg xmlns="http://www.w3.org/2000/svg" class="workflow-graph" viewBox="0 0 628 303" width="628" height="303" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace">
        <title>rollback: 3 steps</title>
        <style>@media (prefers-color-scheme:dark){.workflow-graph .ground{fill:#0d1117}.workflow-graph .ink{fill:#e6edf3}.workflow-graph .faint{fill:#9da7b3}.workflow-graph .line{stroke:#9da7b3}.workflow-graph .box{fill:#161b22;stroke:#8b949e}.workflow-graph .gate{fill:#2b2111;stroke:#d29922}}</style>
        <rect class="ground" width="628" height="303" rx="8" fill="#ffffff"/>
        <text class="ink" x="24" y="30" font-size="13" font-weight="600" fill="#1f2328">rollback</text>
        <text class="faint" x="104" y="30" font-size="11" fill="#57606a">3 steps</text>
        <g transform="translate(24 48)">
        <g><title>update-timeline waits for kubectl-deployment-rollback: dependsOn</title>
        <path class="line" d="M124 51C124 69 200 69 200 87V103C200 117 268 117 268 132" fill="none" stroke="#57606a" stroke-width="1.5"/>
        <path class="faint" d="M268 140l-4 -9h8z" fill="#57606a"/>
        </g>
        <g><title>update-timeline waits for convert-incident-id: output incident_id</title>
        <path class="line" d="M428 51C428 69 352 69 352 87M352 103C352 117 284 117 284 132" fill="none" stroke="#57606a" stroke-width="1.5" stroke-dasharray="2 4"/>
        <path class="faint" d="M284 140l-4 -9h8z" fill="#57606a"/>
        <text class="faint" x="352" y="99" font-size="11" text-anchor="middle" fill="#57606a">incident_id</text>
        </g>
        <g><title>kubectl-deployment-rollback
        relaysh/kubernetes-step-kubectl</title>
        <rect class="box" x="0" y="0" width="248" height="51" rx="6" fill="#f6f8fa" stroke="#57606a"/>
        <text class="ink" x="124" y="22" font-size="13" font-weight="600" text-anchor="middle" fill="#1f2328">kubectl-deployment-rollback</text>
        <text class="faint" x="124" y="38" font-size="11" text-anchor="middle" fill="#57606a">relaysh/kubernetes-step-kubectl</text>
        </g>
        <g><title>convert-incident-id
        relaysh/datadog-step-incident-extract-id</title>
        <rect class="box" x="276" y="0" width="304" height="51" rx="6" fill="#f6f8fa" stroke="#57606a"/>
        <text class="ink" x="428" y="22" font-size="13" font-weight="600" text-anchor="middle" fill="#1f2328">convert-incident-id</text>
        <text class="faint" x="428" y="38" font-size="11" text-anchor="middle" fill="#57606a">relaysh/datadog-step-incident-extract-id</text>
        </g>
        <g><title>update-timeline
        relaysh/datadog-step-incident-timeline-update</title>
        <rect class="box" x="107" y="140" width="338" height="51" rx="6" fill="#f6f8fa" stroke="#57606a"/>
        <text class="ink" x="276" y="162" font-size="13" font-weight="600" text-anchor="middle" fill="#1f2328">update-timeline</text>
        <text class="faint" x="276" y="178" font-size="11" text-anchor="middle" fill="#57606a">relaysh/datadog-step-incident-timeline-update</text>
        </g>
        <path class="line" d="M0 223h36" fill="none" stroke="#57606a" stroke-width="1.5"/>
        <text class="faint" x="44" y="227" font-size="11" fill="#57606a">dependsOn</text>
        <path class="line" d="M129 223h36" fill="none" stroke="#57606a" stroke-width="1.5" stroke-dasharray="2 4"/>
        <text class="faint" x="173" y="227" font-size="11" fill="#57606a">uses an output</text>
        </g>
        </svg>
    "##]].assert_eq(&svg("rollback", &runbook()));
}

#[test]
fn a_diamond() {
    expect![[r##"
        <svg xmlns="http://www.w3.org/2000/svg" class="workflow-graph" viewBox="0 0 538 425" width="538" height="425" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace">
        <title>ship-it: 4 steps</title>
        <style>@media (prefers-color-scheme:dark){.workflow-graph .ground{fill:#0d1117}.workflow-graph .ink{fill:#e6edf3}.workflow-graph .faint{fill:#9da7b3}.workflow-graph .line{stroke:#9da7b3}.workflow-graph .box{fill:#161b22;stroke:#8b949e}.workflow-graph .gate{fill:#2b2111;stroke:#d29922}}</style>
        <rect class="ground" width="538" height="425" rx="8" fill="#ffffff"/>
        <text class="ink" x="24" y="30" font-size="13" font-weight="600" fill="#1f2328">ship-it</text>
        <text class="faint" x="96" y="30" font-size="11" fill="#57606a">4 steps</text>
        <g transform="translate(24 48)">
        <g><title>scan waits for build: dependsOn</title>
        <path class="line" d="M307 51C307 71 91 71 91 92" fill="none" stroke="#57606a" stroke-width="1.5"/>
        <path class="faint" d="M91 100l-4 -9h8z" fill="#57606a"/>
        </g>
        <g><title>agree waits for build: dependsOn</title>
        <path class="line" d="M323 51C323 71 316 71 316 92" fill="none" stroke="#57606a" stroke-width="1.5"/>
        <path class="faint" d="M316 100l-4 -9h8z" fill="#57606a"/>
        </g>
        <g><title>ship waits for scan: status</title>
        <path class="line" d="M91 167C91 186 201 186 201 206M201 222C201 238 296 238 296 254" fill="none" stroke="#57606a" stroke-width="1.5" stroke-dasharray="8 4"/>
        <path class="faint" d="M296 262l-4 -9h8z" fill="#57606a"/>
        <text class="faint" x="201" y="218" font-size="11" text-anchor="middle" fill="#57606a">status</text>
        </g>
        <g><title>ship waits for agree: dependsOn, answer</title>
        <path class="line" d="M316 151V167C316 186 313 186 313 206M313 222C313 238 312 238 312 254" fill="none" stroke="#57606a" stroke-width="1.5"/>
        <path class="faint" d="M312 262l-4 -9h8z" fill="#57606a"/>
        <text class="faint" x="313" y="218" font-size="11" text-anchor="middle" fill="#57606a">dependsOn, answer</text>
        </g>
        <g><title>ship waits for build: output tag</title>
        <path class="line" d="M339 51C339 75 442 75 442 100V167C442 186 415 186 415 206M415 222C415 238 328 238 328 254" fill="none" stroke="#57606a" stroke-width="1.5" stroke-dasharray="2 4"/>
        <path class="faint" d="M328 262l-4 -9h8z" fill="#57606a"/>
        <text class="faint" x="415" y="218" font-size="11" text-anchor="middle" fill="#57606a">tag</text>
        </g>
        <g><title>build
        relaysh/build</title>
        <rect class="box" x="262" y="0" width="120" height="51" rx="6" fill="#f6f8fa" stroke="#57606a"/>
        <text class="ink" x="323" y="22" font-size="13" font-weight="600" text-anchor="middle" fill="#1f2328">build</text>
        <text class="faint" x="323" y="38" font-size="11" text-anchor="middle" fill="#57606a">relaysh/build</text>
        </g>
        <g><title>scan
        relaysh/scan
        if its condition holds</title>
        <rect class="box" x="0" y="100" width="182" height="67" rx="6" fill="#f6f8fa" stroke="#57606a" stroke-dasharray="5 4"/>
        <text class="ink" x="91" y="122" font-size="13" font-weight="600" text-anchor="middle" fill="#1f2328">scan</text>
        <text class="faint" x="91" y="138" font-size="11" text-anchor="middle" fill="#57606a">relaysh/scan</text>
        <text class="faint" x="91" y="154" font-size="11" text-anchor="middle" fill="#57606a">if its condition holds</text>
        </g>
        <g><title>agree
        a person says yes or no</title>
        <path class="gate" d="M222 100H410L422 126L410 151H222L210 126z" fill="#fff8c5" stroke="#9a6700"/>
        <text class="ink" x="316" y="122" font-size="13" font-weight="600" text-anchor="middle" fill="#1f2328">agree</text>
        <text class="faint" x="316" y="138" font-size="11" text-anchor="middle" fill="#57606a">a person says yes or no</text>
        </g>
        <g><title>ship
        relaysh/ship</title>
        <rect class="box" x="255" y="262" width="114" height="51" rx="6" fill="#f6f8fa" stroke="#57606a"/>
        <text class="ink" x="312" y="284" font-size="13" font-weight="600" text-anchor="middle" fill="#1f2328">ship</text>
        <text class="faint" x="312" y="300" font-size="11" text-anchor="middle" fill="#57606a">relaysh/ship</text>
        </g>
        <path class="line" d="M0 345h36" fill="none" stroke="#57606a" stroke-width="1.5"/>
        <text class="faint" x="44" y="349" font-size="11" fill="#57606a">dependsOn</text>
        <path class="line" d="M129 345h36" fill="none" stroke="#57606a" stroke-width="1.5" stroke-dasharray="2 4"/>
        <text class="faint" x="173" y="349" font-size="11" fill="#57606a">uses an output</text>
        <path class="line" d="M292 345h36" fill="none" stroke="#57606a" stroke-width="1.5" stroke-dasharray="8 4"/>
        <text class="faint" x="336" y="349" font-size="11" fill="#57606a">asks for the status</text>
        </g>
        </svg>
    "##]].assert_eq(&svg("ship-it", &diamond()));
}

#[test]
fn no_steps() {
    let picture = svg("idle", &graph(""));
    assert!(picture.contains("<title>idle: no steps</title>"), "{picture}");
    check(&picture);
}

#[test]
fn every_picture_is_well_formed_whatever_the_names_are() {
    let usual = svg("name", &hostile("name"));
    let usual = check(&usual);
    for name in HOSTILE {
        let picture = svg(name, &hostile(name));
        assert_eq!(check(&picture), usual, "{picture}");
    }
    check(&svg("ship-it", &diamond()));
    check(&svg("a\nb\u{1b}", &runbook()));
}

#[test]
fn the_title_of_a_step_is_whole_and_its_box_is_not_endless() {
    let long = "x".repeat(256);
    let picture = svg("w", &hostile(&long));
    assert!(picture.contains(&format!("<title>{long}\n{long}</title>")), "{picture}");
    assert!(picture.contains(&format!(">{}…</text>", "x".repeat(NAME_COLUMNS_MAX - 1))));
    let tip = format!("<title>next waits for {long}: output {long}</title>");
    assert!(picture.contains(&tip), "{picture}");
    let wide = picture.split_once("width=\"").expect("a width").1;
    let wide: usize = wide.split('"').next().expect("an end").parse().expect("a number");
    assert!(wide < 500, "{wide}");
}

#[test]
fn texts() {
    let cases = [
        ("", ""),
        ("größe 2 😀", "größe 2 😀"),
        ("<a b=\"c\">&amp;'", "&lt;a b=&quot;c&quot;&gt;&amp;amp;&#39;"),
        ("]]>", "]]&gt;"),
        ("\u{fffe}\u{ffff}\u{fffd}", "\u{fffd}\u{fffd}\u{fffd}"),
    ];
    for (text, expected) in cases {
        assert_eq!(xml(text), expected, "{text:?}");
    }
}

/// Panics unless all tags are closed in order, all attributes stand once and in quotes, and
/// all entities are known. The names of the tags in their order.
fn check(picture: &str) -> Vec<&str> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    let mut rest = picture;
    while let Some((text, after)) = rest.split_once('<') {
        check_text(text);
        let (tag, after) = after.split_once('>').expect("the tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{name}");
        check_attributes(attributes);
        all.push(name);
        if !closed {
            open.push(name);
        }
    }
    assert_eq!(rest, "\n");
    assert!(open.is_empty(), "{open:?}");
    all
}

fn check_text(text: &str) {
    assert!(!text.contains('>') && !text.contains(['\u{fffe}', '\u{ffff}']), "{text}");
    for entity in text.split('&').skip(1) {
        let name = entity.split_once(';').expect("the entity ends").0;
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "{name}");
    }
}

fn check_attributes(attributes: &str) {
    let mut names = Vec::new();
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a value in quotes");
        let (value, after) = value.split_once('"').expect("the value ends");
        assert!(name.chars().all(|c| c.is_ascii_alphabetic() || c == '-'), "{name}");
        assert!(!names.contains(&name), "{name} twice");
        check_text(value);
        names.push(name);
        rest = after.trim_start();
    }
}

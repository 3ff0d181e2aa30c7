//! How a report looks, and that nothing in it can become more than text.

use super::*;
use crate::report::markdown;
use journal::{Denial, Question, Verdict};

fn report(tale: &Tale) -> String {
    markdown(&tale.view(), &tale.events)
}

#[test]
fn a_report_on_a_run_that_was_approved() {
    check(
        &report(&people::approved()),
        &expect![[r##"
            # `rollback` succeeded

            Drawn from the record of run 0192f0c1-7c00-7000-8000-000000000001. All times are UTC.

            | What | Value |
            | --- | --- |
            | Status | succeeded |
            | Started | 2026-11-22 14:03:01 by `eric` |
            | Ended | 2026-11-22 14:04:05, after 1m04s |
            | Workflow | `run books/rollback.yaml` `sha256:abc` |
            | Parameter | `deployment` = `"web\u001b[2J"` |
            | Plugin | `look 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000` |
            | Plugin | `undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000` |

            ## What changed

            | Time | Step | Connection | Operation | Only if | Status | Outcome |
            | --- | --- | --- | --- | --- | --- | --- |
            | 2026-11-22 14:04:03 | `undo` | `kubernetes/eric0-demos` | `patch apps/deployments default/web` | - | 200 | done |

            - `undo`: `revision` `4` -> `3`

            ## Approvals

            - `sure?`: 2026-11-22 14:04:03 `approved by ana, bob`
              - 2026-11-22 14:03:33 `ana said yes: looks right\u{202e}`
              - 2026-11-22 14:04:03 `bob said yes: go`

            ## Timeline

            | Time | Step | What |
            | --- | --- | --- |
            | 2026-11-22 14:03:01 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric` |
            | 2026-11-22 14:03:01 | `look` | `started attempt=1` |
            | 2026-11-22 14:03:03 | `look` | `succeeded after 2.0s found=true` |
            | 2026-11-22 14:03:03 | `sure?` | `waits: it needs 2 approvals from ana, bob or the group sre\u{1b}, but not eric, until 2026-11-22 15:03:01` |
            | 2026-11-22 14:03:03 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 waits for a person` |
            | 2026-11-22 14:03:33 | `sure?` | `ana said yes: looks right\u{202e}` |
            | 2026-11-22 14:04:03 | `sure?` | `bob said yes: go` |
            | 2026-11-22 14:04:03 | `sure?` | `approved by ana, bob` |
            | 2026-11-22 14:04:03 | `undo` | `started attempt=1` |
            | 2026-11-22 14:04:03 | `undo` | `calls patch apps/deployments default/web on kubernetes/eric0-demos` |
            | 2026-11-22 14:04:03 | `undo` | `called patch apps/deployments default/web on kubernetes/eric0-demos: answered 200` |
            | 2026-11-22 14:04:05 | `undo` | `succeeded after 2.0s fromRevision=4 toRevision=3` |
            | 2026-11-22 14:04:05 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 succeeded` |

            ## Calls

            <details><summary>1 call</summary>

            | Time | Step | Attempt | Number | Kind | Call and outcome |
            | --- | --- | --- | --- | --- | --- |
            | 2026-11-22 14:04:03 | `undo` | 1 | 1 | write | `patch apps/deployments default/web on kubernetes/eric0-demos: answered 200` |

            </details>
        "##]],
    );
}

#[test]
fn a_report_on_a_write_that_somebody_had_to_look_for() {
    check(
        &report(&recovery::settled()),
        &expect![[r##"
            # `rollback` succeeded

            Drawn from the record of run 0192f0c1-7c00-7000-8000-000000000001. All times are UTC.

            | What | Value |
            | --- | --- |
            | Status | succeeded |
            | Started | 2026-11-22 14:03:01 by `eric` |
            | Ended | 2026-11-22 14:04:05, after 1m04s |
            | Taken up | 2026-11-22 14:04:01 by `bob` |
            | Workflow | `run books/rollback.yaml` `sha256:abc` |
            | Parameter | `deployment` = `"web\u001b[2J"` |
            | Plugin | `tell 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000` |
            | Plugin | `after 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000` |

            ## What changed

            | Time | Step | Connection | Operation | Only if | Status | Outcome |
            | --- | --- | --- | --- | --- | --- | --- |
            | 2026-11-22 14:03:01 | `tell` | `datadog/prod` | `POST /api/v2/incidents/5/timeline` | - | - | done, as somebody found out |

            ## In doubt and settled

            - `tell`: `POST /api/v2/incidents/5/timeline on datadog/prod`, found out 2026-11-22 14:04:01: `it took effect, according to ana: I see it there`

            ## Links

            - <https://app.datadoghq.com/incidents/5> from `tell`, output `url`

            ## Timeline

            | Time | Step | What |
            | --- | --- | --- |
            | 2026-11-22 14:03:01 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric` |
            | 2026-11-22 14:03:01 | `tell` | `started attempt=1` |
            | 2026-11-22 14:03:01 | `tell` | `calls POST /api/v2/incidents/5/timeline on datadog/prod` |
            | 2026-11-22 14:03:01 | `tell` | `called POST /api/v2/incidents/5/timeline on datadog/prod: it may have taken effect: no answer within 30 s` |
            | 2026-11-22 14:03:01 | `tell` | `waits: nobody knows whether POST /api/v2/incidents/5/timeline on datadog/prod took effect` |
            | 2026-11-22 14:03:01 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 waits for a person` |
            | 2026-11-22 14:04:01 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 goes on, taken up by bob` |
            | 2026-11-22 14:04:01 | `tell` | `POST /api/v2/incidents/5/timeline on datadog/prod: it took effect, according to ana: I see it there` |
            | 2026-11-22 14:04:01 | `tell` | `goes on attempt=1, with what is on record up to call 2` |
            | 2026-11-22 14:04:03 | `tell` | `succeeded after 2.0s url=https://app.datadoghq.com/incidents/5` |
            | 2026-11-22 14:04:03 | `after` | `started attempt=1` |
            | 2026-11-22 14:04:05 | `after` | `succeeded after 2.0s` |
            | 2026-11-22 14:04:05 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 succeeded` |

            ## Calls

            <details><summary>2 calls</summary>

            | Time | Step | Attempt | Number | Kind | Call and outcome |
            | --- | --- | --- | --- | --- | --- |
            | 2026-11-22 14:03:01 | `tell` | 1 | 1 | read | `GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 200` |
            | 2026-11-22 14:03:01 | `tell` | 1 | 2 | write | `POST /api/v2/incidents/5/timeline on datadog/prod: it took effect, according to ana: I see it there` |

            </details>
        "##]],
    );
    let open = report(&recovery::unknown());
    assert!(open.contains("## In doubt and settled\n\n- `tell`: `POST /api/v2"), "{open}");
    assert!(open.contains("| **in doubt** |"), "{open}");
}

#[test]
fn a_report_on_a_run_that_failed() {
    let rule = json!({"verbs": ["delete"], "resource": "pods", "name": "```\n# no"});
    let denial = Denial {
        by: "policy".to_owned(),
        slot: "cluster".to_owned(),
        connection: "kubernetes/eric0-demos".to_owned(),
        rule,
    };
    let refused = EffectOutcome::NotMade {
        code: "kubernetes.denied".to_owned(),
        message: "no rule allows it".to_owned(),
        denial: Some(denial),
    };
    let mut events = failed();
    events.events.pop();
    let denied = events.settles("look up", 2, refused).ends(RunStatus::Failure);
    check(
        &report(&denied),
        &expect![[r##"
        # `rollback` failed

        Drawn from the record of run 0192f0c1-7c00-7000-8000-000000000001. All times are UTC.

        | What | Value |
        | --- | --- |
        | Status | failed |
        | Started | 2026-11-22 14:03:01 by `eric` |
        | Ended | 2026-11-22 14:03:05, after 4.5s |
        | Workflow | `run books/rollback.yaml` `sha256:abc` |
        | Parameter | `deployment` = `"web\u001b[2J"` |
        | Plugin | `undo 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000` |
        | Plugin | `look up 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000` |
        | Plugin | `tell 1.0.0 sha256:0000000000000000000000000000000000000000000000000000000000000000` |

        ## What changed

        | Time | Step | Connection | Operation | Only if | Status | Outcome |
        | --- | --- | --- | --- | --- | --- | --- |
        | 2026-11-22 14:03:01 | `undo` | `kubernetes/eric0-demos` | `patch apps/deployments default/web` | - | 200 | done |

        ## What failed

        - `look up`, 2026-11-22 14:03:03: ``there is no incident `5`; check `public_id` (datadog.not-found)``

        ````text
        step `look up`: this in `bowline.yaml`, added to the rules there, would allow it:

        policy:
          rules:
          - plugin: "sha256:0000000000000000000000000000000000000000000000000000000000000000"  # look up 1.0.0
            connection: "kubernetes/eric0-demos"
            allow:
            - {"name":"```\n# no","resource":"pods","verbs":["delete"]}
        ````

        ## Timeline

        | Time | Step | What |
        | --- | --- | --- |
        | 2026-11-22 14:03:01 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 of rollback started by eric` |
        | 2026-11-22 14:03:01 | `undo` | `started attempt=1` |
        | 2026-11-22 14:03:01 | `look up` | `started attempt=1` |
        | 2026-11-22 14:03:01 | `undo` | `calls patch apps/deployments default/web on kubernetes/eric0-demos` |
        | 2026-11-22 14:03:01 | `undo` | `called patch apps/deployments default/web on kubernetes/eric0-demos: answered 200` |
        | 2026-11-22 14:03:01 | `look up` | `called GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 404` |
        | 2026-11-22 14:03:03 | `look up` | ``failed after 2.5s: there is no incident `5`; check `public_id` (datadog.not-found)`` |
        | 2026-11-22 14:03:03 | `tell` | ``skipped: it needs `look up`, which failed`` |
        | 2026-11-22 14:03:05 | `undo` | `succeeded after 4.5s` |
        | 2026-11-22 14:03:05 | `look up` | `called call 2: not made: no rule allows it (kubernetes.denied)` |
        | 2026-11-22 14:03:05 | the run | `run 0192f0c1-7c00-7000-8000-000000000001 failed` |

        ## Calls

        <details><summary>3 calls</summary>

        | Time | Step | Attempt | Number | Kind | Call and outcome |
        | --- | --- | --- | --- | --- | --- |
        | 2026-11-22 14:03:01 | `undo` | 1 | 1 | write | `patch apps/deployments default/web on kubernetes/eric0-demos: answered 200` |
        | 2026-11-22 14:03:01 | `look up` | 1 | 1 | read | `GET /api/v2/incidents/5 on kubernetes/eric0-demos: answered 404` |
        | 2026-11-22 14:03:05 | `look up` | 1 | 2 | refused | `call 2: not made: no rule allows it (kubernetes.denied)` |

        </details>
    "##]],
    );
}

/// What somebody might write who wants to be more than text.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "`</code><img src=x onerror=alert(1)>",
    "``` \n# heading\n\n| a | b |",
    r"a\|<b>bold</b>\\|`|``|",
    "[click](javascript:alert(1)) ![x](http://evil.test/x.png)",
    "</details>\n\n<details open>",
    "@everyone #1 **bold** __init__ ~~gone~~ https://evil.test/",
    "\u{202e}\u{1b}[2J\u{9b}",
    "| --- |",
    "    indented",
    "",
];

/// A run in which everybody writes this.
fn hostile(text: &str) -> Tale {
    let step = "a`|<b>\\";
    let named = PluginPin {
        name: text.to_owned(),
        version: text.to_owned(),
        digest: text.to_owned(),
        signer: Some(text.to_owned()),
    };
    let mut first = planned(step, &[]);
    first.plugin = Some(named);
    let mut told = tale(vec![first, approval("sure?", &[step])]);
    if let Event::RunStarted { plan, by, .. } = &mut told.events[0].event {
        *by = text.to_owned();
        (plan.workflow, plan.source) = (text.to_owned(), text.to_owned());
        plan.parameters = BTreeMap::from([(text.to_owned(), json!({ text: [text] }))]);
    }
    let owned = || text.to_owned();
    let failure = Failure::permanent(owned(), owned());
    let effect = Effect { precondition: Some(owned()), ..effect(text, text, true) };
    let (own, readings) = (name(step), Readings::default());
    let intended = Event::EffectIntended { step: own, attempt: 1, number: 1, effect, readings };
    let settled = Event::OutcomeSettled {
        step: name(step),
        attempt: 1,
        number: 1,
        done: true,
        by: owned(),
        reason: Some(owned()),
    };
    let again = Event::EffectAskedAgain { step: name(step), attempt: 1, number: 1, why: owned() };
    let question = Question { approvers: vec![owned()], ..Question::default() };
    let said = Event::ApprovalGiven {
        step: name("sure?"),
        by: owned(),
        verdict: Verdict::Rejected,
        reason: Some(owned()),
    };
    let denial =
        Denial { by: "policy".into(), slot: owned(), connection: owned(), rule: json!(text) };
    let denied = EffectOutcome::NotMade { code: owned(), message: owned(), denial: Some(denial) };
    let retry = AttemptFailed { step: name(step), failure: failure.clone() };
    let mut outputs = json!({"fromX": text, "toX": text, "images": { text: text }, "url": text});
    outputs["results"] = json!([{"name": text, "fromY": text, "toY": text}]);
    told.starts(step)
        .then(1, intended)
        .settles(step, 1, EffectOutcome::InDoubt { message: owned() })
        .then(1, again)
        .then(1, settled)
        .settles(step, 2, denied)
        .then(1, retry.event())
        .then(1, Event::RunResumed { by: owned() })
        .then(1, Event::RunReopened { by: owned(), steps: vec![name(step)], heard: 0 })
        .then(1, Event::StepStarted { step: name(step), attempt: 2 })
        .fails(step, failure)
        .succeeds(step, outputs)
        .then(0, Event::ApprovalAsked { step: name("sure?"), question })
        .then(1, said)
        .then(
            1,
            Event::ApprovalSettled {
                step: name("sure?"),
                verdict: Verdict::Rejected,
                by: vec![owned()],
            },
        )
        .skips("sure?", text)
        .then(1, Event::CancelRequested { by: owned() })
        .ends(RunStatus::Cancelled)
}

struct AttemptFailed {
    step: StepName,
    failure: Failure,
}

impl AttemptFailed {
    fn event(self) -> Event {
        Event::AttemptFailed { step: self.step, attempt: 1, failure: self.failure, delay_ms: 5 }
    }
}

/// The report without what stands between backticks, and without blocks of code.
fn outside_of_code(report: &str) -> String {
    let mut rest = String::new();
    let mut fence: Option<String> = None;
    for line in report.lines() {
        match &fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if line.starts_with("```") && line.ends_with("text") => {
                fence = Some(line.trim_end_matches("text").to_owned());
            }
            None => {
                rest.push_str(&without_spans(line));
                rest.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "a block of code does not end: {report}");
    rest
}

fn without_spans(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        kept.push_str(&rest[..start]);
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let inside = &rest[start + ticks..];
        let end = closing(inside, ticks).unwrap_or_else(|| panic!("a span does not end: {line}"));
        kept.push_str("CODE");
        rest = &inside[end + ticks..];
    }
    kept + rest
}

/// Where the first run of exactly so many backticks begins.
fn closing(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(start) = text[at..].find('`') {
        let start = at + start;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        if run == ticks {
            return Some(start);
        }
        at = start + run;
    }
    None
}

#[test]
fn nothing_that_anybody_wrote_becomes_markdown_or_html() {
    let tame = outside_of_code(&report(&hostile("tame")));
    for text in HOSTILE {
        let report = report(&hostile(text));
        let steers = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!report.contains(steers), "{report}");
        let rest = outside_of_code(&report).replace("(empty)", "CODE");
        // A link is the one thing that may come from a text; it leads where it says.
        let rest: Vec<&str> = rest
            .lines()
            .filter(|line| !line.starts_with("- <http") && *line != "## Links")
            .collect();
        let tame: Vec<&str> = tame.lines().collect();
        let bare = |lines: &[&str]| {
            lines
                .iter()
                .filter(|line| !line.is_empty())
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(bare(&rest), bare(&tame), "{text:?} in {report}");
    }
}

#[test]
fn each_row_of_a_table_has_as_many_cells_as_its_head() {
    for text in HOSTILE {
        let report = report(&hostile(text));
        let mut columns = None;
        for line in report.lines() {
            if !line.starts_with('|') {
                columns = None;
                continue;
            }
            let escaped = line.replace(r"\|", "");
            let bars = escaped.matches('|').count();
            assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
            // However many backslashes stand before it, an escaped bar is escaped for everybody.
            assert!(!line.contains(r"\\|"), "{line}");
        }
    }
}

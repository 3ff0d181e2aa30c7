//! Posting once: what to do after each kind of answer.
//!
//! Datadog has no key against doubles. So an answer that proves nothing (none at all, or 5xx) is
//! followed by a look for the mark, twice, with a wait between; only when the mark is absent is the
//! same text sent again. Where one can't look, nothing is sent again. What the host knows to have
//! taken effect before the process ended is only looked for, to say its id.

use crate::timeline::{Cell, Timeline, made};
use crate::{ContentKey, Outputs};
use bowline_sdk::http::{Response, refusal};
use bowline_sdk::{ConnectError, Failure, log, retry::Patience};
use datadog_api::Mark;
use std::time::Duration;

/// The most posts of the same text.
const POSTS_MAX: u32 = 4;
/// How long a cell may take to show up in the list.
const LAG: Duration = Duration::from_secs(2);

/// What an answer to a post means.
enum Verdict {
    /// It is there.
    Posted(Cell),
    /// It is there, and the answer that said its id is lost.
    Done,
    /// Certainly not there, and the other key may be the right one.
    WrongKey(Response),
    /// Certainly not there; the same again after the wait that was asked for.
    NotYet(Failure),
    /// Nobody knows.
    InDoubt(Failure),
    /// Certainly not there, for good.
    Refused(Failure),
}

/// Posts `text` unless a cell with `mark` is there.
pub(crate) fn post(
    timeline: &Timeline<'_>,
    text: &str,
    mark: &Mark,
    wanted: ContentKey,
) -> Result<Outputs, Failure> {
    if timeline.ctx.attempt() > 1 {
        // The attempt before may have ended anywhere.
        let before = Failure::permanent("attempt", "an earlier attempt may have posted it");
        if let Some(cell) = look(timeline, mark, &before, 2)? {
            log::info!("an earlier attempt has posted the cell already");
            return Ok(Outputs { cell_id: cell.id, posted: false });
        }
    }
    let mut key = if wanted == ContentKey::Auto { ContentKey::Message } else { wanted };
    let mut other_left = wanted == ContentKey::Auto;
    let mut posts = 0;
    loop {
        posts += 1;
        match judge(timeline, timeline.create(text, key)) {
            Verdict::Posted(cell) => return Ok(finish(timeline, cell, text, key)),
            Verdict::Done => return Ok(done(timeline, mark)),
            Verdict::WrongKey(answer) if other_left => {
                log::debug!("`content.{}` was refused with {}", name(key), answer.status());
                key = other(key);
                other_left = false;
            }
            Verdict::WrongKey(answer) => {
                return Err(timeline.refused(answer, "can't post the cell", "incident_write"));
            }
            Verdict::Refused(failure) => return Err(failure),
            Verdict::NotYet(failure) => {
                let patience = Patience { tries: POSTS_MAX, ..Patience::default() };
                if !patience.wait(timeline.ctx, posts + 1, failure.retry_after()) {
                    return Err(failure);
                }
            }
            Verdict::InDoubt(failure) => {
                log::warn!("looking whether the cell was posted: {failure}");
                if let Some(cell) = look(timeline, mark, &failure, 2)? {
                    return Ok(Outputs { cell_id: cell.id, posted: true });
                }
                if posts >= POSTS_MAX {
                    let message = format!("{failure}; the cell was not posted in {posts} tries");
                    return Err(Failure::retryable("datadog.unavailable", message, None));
                }
            }
        }
    }
}

fn judge(timeline: &Timeline<'_>, outcome: Result<Response, ConnectError>) -> Verdict {
    let doing = "can't post the cell";
    let answer = match outcome {
        Ok(answer) if answer.is_stand_in() => return Verdict::Done,
        Ok(answer) => answer,
        Err(error) if error.is_done() => return Verdict::Done,
        Err(error) if error.in_doubt => return Verdict::InDoubt(error.into()),
        Err(error) if error.worth_repeating() => return Verdict::NotYet(error.into()),
        Err(error) => return Verdict::Refused(error.into()),
    };
    match answer.status() {
        200..=299 => Verdict::Posted(made(answer)),
        400 => Verdict::WrongKey(answer),
        429 => Verdict::NotYet(refusal(answer, "datadog", doing, "")),
        408 | 500..=599 => Verdict::InDoubt(refusal(answer, "datadog", doing, "")),
        _ => Verdict::Refused(timeline.refused(answer, doing, "incident_write")),
    }
}

/// Looks for the mark `times` times. `doubt` is why.
fn look(
    timeline: &Timeline<'_>,
    mark: &Mark,
    doubt: &Failure,
    times: u32,
) -> Result<Option<Cell>, Failure> {
    for time in 1..=times {
        if time > 1 {
            timeline.ctx.sleep(LAG);
        }
        match timeline.find(mark) {
            Ok(Some(cell)) => return Ok(Some(cell)),
            Ok(None) => (),
            Err(blind) => return Err(unknown(mark, doubt, &blind)),
        }
    }
    Ok(None)
}

fn unknown(mark: &Mark, doubt: &Failure, blind: &Failure) -> Failure {
    let message = format!(
        "nobody can tell whether the cell was posted: {doubt}; and looking failed: {blind}. It is \
         not sent again; look for {} in the incident's timeline",
        mark.line()
    );
    Failure::permanent("ambiguous", message)
        .with_detail("inDoubt", true)
        .with_detail("mark", mark.line())
}

/// The cell is there whatever a look shows; without one only its id is missing.
fn done(timeline: &Timeline<'_>, mark: &Mark) -> Outputs {
    let cell_id = match timeline.find(mark) {
        Ok(cell) => cell.and_then(|cell| cell.id),
        Err(blind) => {
            log::warn!("can't look for the cell's id: {blind}");
            None
        }
    };
    match &cell_id {
        Some(_) => log::info!("the cell was posted before the process ended"),
        None => log::warn!("the cell was posted before the process ended, and its id is lost"),
    }
    Outputs { cell_id, posted: true }
}

/// A cell whose text the service dropped is mended, never posted a second time.
fn finish(timeline: &Timeline<'_>, cell: Cell, text: &str, key: ContentKey) -> Outputs {
    if let (true, Some(id)) = (cell.lost_its_text, cell.id.as_deref()) {
        let key = other(key);
        match timeline.mend(id, text, key) {
            Ok(answer) if answer.is_success() => {
                log::info!("the service takes the text as `content.{}`", name(key));
            }
            Ok(answer) => {
                let failure = timeline.refused(answer, "can't mend the cell", "incident_write");
                log::warn!("the cell was posted, but the service shows no text: {failure}");
            }
            Err(error) if error.is_done() => log::info!("the cell got its text before"),
            Err(error) => {
                log::warn!("the cell was posted, but the service shows no text: {}", error.message);
            }
        }
    }
    Outputs { cell_id: cell.id, posted: true }
}

fn other(key: ContentKey) -> ContentKey {
    if key == ContentKey::Content { ContentKey::Message } else { ContentKey::Content }
}

fn name(key: ContentKey) -> &'static str {
    if key == ContentKey::Content { "content" } else { "message" }
}

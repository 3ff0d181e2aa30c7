//! How often the request is sent.
//!
//! What reads, or does no more when done twice, is sent again while the service is busy. Any other
//! write is sent again only after an answer that proves that it was not carried out. A write that
//! took effect before the process ended has no answer any more; where the workflow can't do without
//! one, it is sent again if that does no harm.

use crate::Expected;
use bowline_sdk::http::{Client, Request, Response, refusal};
use bowline_sdk::{ConnectError, Context, Failure, log, retry::Patience};
use std::time::Duration;

/// One request and what is known about it.
pub(crate) struct Exchange<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) client: &'a Client,
    pub(crate) request: &'a Request,
    pub(crate) expected: &'a Expected,
    /// Whether sending it again does no harm.
    pub(crate) repeatable: bool,
    /// Whether there are outputs that only an answer can fill.
    pub(crate) needs_answer: bool,
}

impl Exchange<'_> {
    /// The answer, if its status is good. None when the request took effect, its answer is lost, and
    /// nothing needs it.
    pub(crate) fn take(&self) -> Result<Option<Response>, Failure> {
        let mut tried = 1;
        loop {
            let failure = match self.client.send(self.request) {
                outcome if is_done(&outcome) => match self.lost()? {
                    Some(failure) => failure,
                    None => return Ok(None),
                },
                Ok(answer) if self.expected.has(answer.status()) => return Ok(Some(answer)),
                Ok(answer) => self.refused(answer)?,
                Err(error) if error.in_doubt && self.repeatable => error.into(),
                Err(error) if error.in_doubt => return Err(unknown(&error.into())),
                Err(error) if error.worth_repeating() => error.into(),
                Err(error) => return Err(error.into()),
            };
            let asked: Option<Duration> = failure.retry_after();
            if !Patience::default().wait(self.ctx, tried + 1, asked) {
                return Err(failure);
            }
            log::debug!("sending it again: {failure}");
            tried += 1;
        }
    }

    /// The request took effect and its answer is lost: none when nothing needs the answer, the
    /// failure after which it is sent again, or the error after which it is not.
    fn lost(&self) -> Result<Option<Failure>, Failure> {
        if !self.needs_answer {
            log::warn!("the request took effect before the process ended; its answer is lost");
            return Ok(None);
        }
        let message = "the request took effect before the process ended, and its answer, which \
                       `extract` needs, is lost; look up what it gave, and start the workflow anew \
                       without this step";
        let failure = Failure::permanent("http.answer-lost", message);
        if self.repeatable { Ok(Some(failure)) } else { Err(failure) }
    }

    /// The failure after which it is sent again; the error is one after which it is not.
    fn refused(&self, answer: Response) -> Result<Failure, Failure> {
        let status = answer.status();
        let busy = answer.is_busy();
        let doing = format!("{} {}", self.request.method(), self.request.path());
        let remedy = match status {
            401 | 403 => "check the credentials of the connection and what they may do",
            300..=399 => "redirects are not followed; check the connection's base URL",
            _ if busy => "",
            _ => "if this status is a good one, name it in `expect`",
        };
        let failure = refusal(answer, "http", &doing, remedy);
        match status {
            _ if !busy => Err(failure),
            429 => Ok(failure),
            _ if self.repeatable => Ok(failure),
            _ => Err(unknown(&failure)),
        }
    }
}

/// Whether the host knows that the request took effect, and nothing of its answer.
fn is_done(outcome: &Result<Response, ConnectError>) -> bool {
    match outcome {
        Ok(answer) => answer.is_stand_in(),
        Err(error) => error.is_done(),
    }
}

fn unknown(doubt: &Failure) -> Failure {
    let message = format!(
        "nobody can tell whether the request took effect: {doubt}. It is not sent again; look, or \
         say `idempotent: true` where sending it twice does no harm"
    );
    Failure::permanent("ambiguous", message).with_detail("inDoubt", true)
}

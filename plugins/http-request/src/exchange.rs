//! How often the request is sent.
//!
//! What reads, or does no more when done twice, is sent again while the service is busy. Any other
//! write is sent again only after an answer that proves that it was not carried out.

use crate::Expected;
use bowline_sdk::http::{Client, Request, Response, refusal};
use bowline_sdk::{Context, Failure, log, retry::Patience};
use std::time::Duration;

/// One request and what is known about it.
pub(crate) struct Exchange<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) client: &'a Client,
    pub(crate) request: &'a Request,
    pub(crate) expected: &'a Expected,
    /// Whether sending it again does no harm.
    pub(crate) repeatable: bool,
}

impl Exchange<'_> {
    /// The answer, if its status is good.
    pub(crate) fn take(&self) -> Result<Response, Failure> {
        let mut tried = 1;
        loop {
            let failure = match self.client.send(self.request) {
                Ok(answer) if self.expected.has(answer.status()) => return Ok(answer),
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

fn unknown(doubt: &Failure) -> Failure {
    let message = format!(
        "nobody can tell whether the request took effect: {doubt}. It is not sent again; look, or \
         say `idempotent: true` where sending it twice does no harm"
    );
    Failure::permanent("ambiguous", message).with_detail("inDoubt", true)
}

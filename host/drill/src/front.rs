//! What every request passes on its way to a service, and every answer on its way back.
//!
//! In order: the record of requests, faults, the size of the body, the service. The front
//! knows no resource of either service, and never looks at what a credential is.

use crate::clock;
use crate::cluster::Cluster;
use crate::control;
use crate::credentials::Credentials;
use crate::datadog::Datadog;
use crate::exchange::{Answer, Asked, Content};
use crate::faults::{Faults, Moment, Outcome};
use crate::neighbours::Neighbours;
use crate::query::{self, Query};
use crate::recording::{Received, Recording, Service};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;

/// The largest body of a request. The real API server stops at the same size.
pub(crate) const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// How much of a body that is too large is read and thrown away, so that the client sees why.
const DRAINED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A body that takes longer than this is given up.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed without an answer")]
pub(crate) struct Cut;

/// Both services, and what stands before them.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) datadog: Datadog,
    pub(crate) neighbours: Neighbours,
    pub(crate) credentials: Credentials,
    pub(crate) recording: Recording,
    pub(crate) faults: Faults,
}

enum Read {
    Whole(Bytes),
    TooLarge,
    Broken,
}

impl Front {
    /// A fresh start: objects, incidents, record and faults. Credentials stay.
    pub(crate) fn reset(&self) {
        self.faults.clear();
        self.cluster.reset();
        self.datadog.reset(clock::now());
        self.neighbours.clear();
        self.recording.clear();
    }

    /// Answers one request, or closes the connection.
    pub(crate) async fn answer(
        &self,
        service: Service,
        request: Request<Incoming>,
    ) -> Result<Response<Content>, Cut> {
        let at = clock::millis(clock::now());
        let (parts, body) = request.into_parts();
        let body = read(body).await;
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let is_control = service == Service::Datadog && path.starts_with("/_drill/");
        let asked = match body {
            Read::Whole(body) => {
                query::segments(&path).zip(Query::parse(&query)).map(|(segments, query)| Asked {
                    method: parts.method.clone(),
                    segments,
                    query,
                    headers: parts.headers,
                    body,
                })
            }
            Read::TooLarge if is_control => None,
            Read::TooLarge => {
                let mut record = self.record(service, &parts.method, &path, &query, at);
                let answer = self.too_large(service);
                record.status = Some(answer.status);
                self.recording.add(record);
                return respond(answer);
            }
            Read::Broken => return Err(Cut),
        };
        if is_control {
            return respond(control::answer(self, asked.as_ref()));
        }
        let record = self.record(service, &parts.method, &path, &query, at);
        let fault = self.faults.strike(service, &record.method, &path, &query);
        match fault {
            None if service == Service::Datadog && path.starts_with("/_practice/") => {
                self.finish(record, self.neighbours.answer(asked.as_ref(), &self.credentials))
            }
            None => self.finish(record, self.ask(service, asked.as_ref())),
            Some((moment, outcome)) => self.fail(record, asked.as_ref(), moment, outcome).await,
        }
    }

    fn ask(&self, service: Service, asked: Option<&Asked>) -> Answer {
        match (service, asked) {
            (Service::Kubernetes, Some(asked)) => {
                self.cluster.answer(asked, &self.credentials, clock::now())
            }
            (Service::Datadog, Some(asked)) => {
                self.datadog.answer(asked, &self.credentials, clock::now())
            }
            (Service::Kubernetes, None) => Cluster::undecodable(),
            (Service::Datadog, None) => Datadog::undecodable(),
        }
    }

    async fn fail(
        &self,
        mut record: Received,
        asked: Option<&Asked>,
        moment: Moment,
        outcome: Outcome,
    ) -> Result<Response<Content>, Cut> {
        let service = record.service;
        let real = (moment == Moment::After || outcome == Outcome::Truncate).then(|| match record
            .path
            .starts_with("/_practice/")
        {
            true => self.neighbours.answer(asked, &self.credentials),
            false => self.ask(service, asked),
        });
        record.took_effect = real.as_ref().is_some_and(|answer| answer.took_effect);
        match outcome {
            Outcome::Answer { status, body, content_type, retry_after_seconds } => {
                let answer = instead(service, status, body, content_type, retry_after_seconds);
                let answer = answer.effect(record.took_effect);
                self.finish(record, answer)
            }
            Outcome::Truncate => {
                let answer = real.map(broken).ok_or(Cut)?;
                self.finish(record, answer)
            }
            Outcome::Cut => {
                self.recording.add(record);
                Err(Cut)
            }
            Outcome::Hang { seconds } => {
                self.recording.add(record);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Err(Cut)
            }
        }
    }

    fn finish(&self, mut record: Received, answer: Answer) -> Result<Response<Content>, Cut> {
        record.status = Some(answer.status);
        record.took_effect = answer.took_effect;
        self.recording.add(record);
        respond(answer)
    }

    fn record(
        &self,
        service: Service,
        method: &http::Method,
        path: &str,
        query: &str,
        at: String,
    ) -> Received {
        Received {
            service,
            method: method.as_str().to_owned(),
            path: self.credentials.scrub(path),
            query: self.credentials.scrub(query),
            at,
            status: None,
            took_effect: false,
        }
    }

    fn too_large(&self, service: Service) -> Answer {
        match service {
            Service::Kubernetes => Cluster::refuse(413, None),
            Service::Datadog => Datadog::refuse(413),
        }
    }
}

fn instead(
    service: Service,
    status: u16,
    body: Option<String>,
    content_type: Option<String>,
    retry_after_seconds: Option<u32>,
) -> Answer {
    let mut answer = match (body, service) {
        (Some(body), _) => {
            let mut answer = Answer::empty(status);
            answer.content = Content::Whole(Bytes::from(body));
            answer.with_header(CONTENT_TYPE, content_type.as_deref().unwrap_or("application/json"))
        }
        (None, Service::Kubernetes) => Cluster::refuse(status, retry_after_seconds),
        (None, Service::Datadog) => Datadog::refuse(status),
    };
    if let Some(seconds) = retry_after_seconds {
        let seconds = seconds.to_string();
        if service == Service::Datadog {
            answer.headers.retain(|(name, _)| name != "x-ratelimit-reset");
            answer = answer.with_header(HeaderName::from_static("x-ratelimit-reset"), &seconds);
        }
        answer = answer.with_header(RETRY_AFTER, &seconds);
    }
    answer
}

/// The same answer, but it breaks off in the middle. A stream is cut before its first piece.
fn broken(mut answer: Answer) -> Answer {
    answer.content = match answer.content {
        Content::Whole(bytes) | Content::Broken(bytes) => Content::Broken(bytes),
        Content::Stream(_) => Content::Broken(Bytes::new()),
    };
    answer
}

fn respond(answer: Answer) -> Result<Response<Content>, Cut> {
    let mut response = Response::new(answer.content);
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|_| Cut)?;
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    response
        .headers_mut()
        .entry(http::header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

async fn read(body: Incoming) -> Read {
    tokio::time::timeout(BODY_PATIENCE, collect(body)).await.unwrap_or(Read::Broken)
}

async fn collect(mut body: Incoming) -> Read {
    let mut whole = BytesMut::new();
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Read::Broken };
        let Some(data) = frame.data_ref() else { continue };
        received += data.len();
        if received > DRAINED_BYTES_MAX {
            return Read::TooLarge;
        }
        if received <= BODY_BYTES_MAX {
            whole.extend_from_slice(data);
        }
    }
    if received > BODY_BYTES_MAX { Read::TooLarge } else { Read::Whole(whole.freeze()) }
}

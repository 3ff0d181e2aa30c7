//! The practice Datadog: incidents with their timelines, events, and the checks of keys.
//!
//! One lock guards everything it holds. It refuses what the real service is known to refuse,
//! and where nobody knows, it takes the stricter reading.

mod documents;
mod errors;
mod events;
mod incidents;
mod limits;
mod people;
mod search;
mod seed;
mod timeline;

use crate::clock;
use crate::credentials::{Credentials, same};
use crate::exchange::{Answer, Asked};
use crate::identity::Ids;
use errors::Refusal;
use http::Method;
use jiff::Timestamp;
use limits::{Limits, Window};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use incidents::Incident;

/// Everything that the practice Datadog holds.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) incidents: Vec<Incident>,
    pub(crate) events: events::Events,
    pub(crate) ids: Ids,
    limits: Limits,
}

/// The practice Datadog.
#[derive(Debug)]
pub(crate) struct Datadog {
    state: Mutex<State>,
    search_knows_public_ids: bool,
}

/// What a request is about; the words are those of its rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Matter {
    Validate,
    Permissions,
    Incidents,
    IncidentCreation,
    Incident,
    Search,
    Timeline,
    TimelineCell,
    EventsV1,
    EventV1,
    EventsV2,
}

impl Datadog {
    /// A Datadog with its practice incidents, the newest minutes old at `now`.
    pub(crate) fn new(now: Timestamp, search_knows_public_ids: bool) -> Self {
        Self { state: Mutex::new(fresh(now)), search_knows_public_ids }
    }

    /// A fresh start.
    pub(crate) fn reset(&self, now: Timestamp) {
        *self.lock() = fresh(now);
    }

    /// Shows everything to `look`.
    pub(crate) fn seen<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Answers one request.
    pub(crate) fn answer(&self, asked: &Asked, keys: &Credentials, now: Timestamp) -> Answer {
        let Some(matter) = matter(asked) else {
            return Refusal::no_such_path().into_answer();
        };
        if let Err(refusal) = authenticate(asked, keys, matter) {
            return refusal.into_answer();
        }
        let mut state = self.lock();
        let window = state.limits.take(matter, now);
        let result = match &window {
            Some(window) if window.is_over => Err(Refusal::too_many(window)),
            _ => self.respond(&mut state, asked, matter, now),
        };
        let answer = result.unwrap_or_else(Refusal::into_answer);
        window.iter().fold(answer, |answer, window| window.onto(answer))
    }

    /// What the gateway says with `status` when it says nothing special.
    pub(crate) fn refuse(status: u16) -> Answer {
        errors::gateway(status)
    }

    /// The answer to a path or query that can't be decoded.
    pub(crate) fn undecodable() -> Answer {
        Refusal::invalid("the path or the query of the request can't be decoded").into_answer()
    }

    fn respond(
        &self,
        state: &mut State,
        asked: &Asked,
        matter: Matter,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        match matter {
            Matter::Validate => Ok(Answer::json(200, &serde_json::json!({"valid": true}))),
            Matter::Permissions => Ok(people::permissions()),
            Matter::Incidents => incidents::list(state, asked),
            Matter::IncidentCreation => incidents::create(state, asked, now),
            Matter::Incident => incidents::one(state, asked, now),
            Matter::Search => search::answer(state, asked, self.search_knows_public_ids),
            Matter::Timeline => timeline::all(state, asked, now),
            Matter::TimelineCell => timeline::one(state, asked, now),
            Matter::EventsV1 => state.events.create_v1(&mut state.ids, asked, now),
            Matter::EventV1 => state.events.show_v1(asked, now),
            Matter::EventsV2 => state.events.create_v2(&mut state.ids, asked, now),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh(now: Timestamp) -> State {
    let mut ids = Ids::seeded();
    let incidents = seed::incidents(&mut ids, now);
    ids.unpredictable();
    State { incidents, events: events::Events::default(), ids, limits: Limits::default() }
}

fn matter(asked: &Asked) -> Option<Matter> {
    let path: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
    let method = &asked.method;
    let is = |wanted: &[Method]| wanted.contains(method);
    match path.as_slice() {
        ["api", "v1", "validate"] if is(&[Method::GET]) => Some(Matter::Validate),
        ["api", "v2", "permissions"] if is(&[Method::GET]) => Some(Matter::Permissions),
        ["api", "v2", "incidents"] if is(&[Method::GET]) => Some(Matter::Incidents),
        ["api", "v2", "incidents"] if is(&[Method::POST]) => Some(Matter::IncidentCreation),
        ["api", "v2", "incidents", "search" | "search-incidents"] if is(&[Method::GET]) => {
            Some(Matter::Search)
        }
        ["api", "v2", "incidents", _] if is(&[Method::GET, Method::PATCH, Method::DELETE]) => {
            Some(Matter::Incident)
        }
        ["api", "v2", "incidents", _, "timeline"] if is(&[Method::GET, Method::POST]) => {
            Some(Matter::Timeline)
        }
        ["api", "v2", "incidents", _, "timeline", _] if is(&[Method::PATCH, Method::DELETE]) => {
            Some(Matter::TimelineCell)
        }
        ["api", "v1", "events"] if is(&[Method::POST]) => Some(Matter::EventsV1),
        ["api", "v1", "events", _] if is(&[Method::GET]) => Some(Matter::EventV1),
        ["api", "v2", "events"] if is(&[Method::POST]) => Some(Matter::EventsV2),
        _ => None,
    }
}

/// Both keys for everything; the API key alone to check it and to post events. Keys in the
/// query are no keys: they would end up in the logs of proxies.
fn authenticate(asked: &Asked, keys: &Credentials, matter: Matter) -> Result<(), Refusal> {
    let shown = |name: &str| asked.headers.get(name).map(http::HeaderValue::as_bytes);
    let Some(api_key) = shown("dd-api-key") else {
        return Err(match (matter, shown("authorization")) {
            (_, Some(_)) => Refusal::unauthorized(),
            (Matter::Validate, None) => Refusal::forbidden("API key required"),
            (_, None) => Refusal::forbidden("Forbidden"),
        });
    };
    let is_alone = matches!(matter, Matter::Validate | Matter::EventsV1 | Matter::EventsV2);
    let application_key = shown("dd-application-key").unwrap_or_default();
    let fits = same(api_key, keys.api_key.as_bytes())
        && (is_alone || same(application_key, keys.application_key.as_bytes()));
    if fits { Ok(()) } else { Err(Refusal::forbidden("Forbidden")) }
}

/// The text of a stamp in Datadog's form.
fn stamp(time: Timestamp) -> String {
    clock::micros(time)
}

//! The practice cluster: an API server with the controllers that matter for rollouts.
//!
//! One lock guards the whole world, and every request and every step of a controller is one
//! critical section, so an answer always shows one state. Nothing here sleeps while holding it.

mod access;
mod controller;
mod create;
mod defaults;
mod delete;
mod discovery;
mod kinds;
mod managed_fields;
mod object;
mod patch;
mod read;
mod route;
mod scale;
mod seed;
mod selectors;
mod status_errors;
mod store;
mod table;
mod unknown_fields;
mod update;
mod validation;
mod watch;
mod write_options;

use crate::credentials::Credentials;
use crate::exchange::{Answer, Asked};
use crate::identity::Ids;
use http::header::HeaderName;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use route::{Route, Target};
use status_errors::Refusal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

pub(crate) use controller::{REVISION, REVISION_HISTORY, readiness};
pub(crate) use object::{
    annotation, at, controller_uid, images, name, namespace, number, resource_version, text,
};
pub(crate) use store::Store;

/// Controllers look at the world at least this often, for what only time changes.
const IDLE_TICK: Duration = Duration::from_millis(500);
/// Steps that [`Cluster::settled`] takes at most. A rollout of 100 pods needs about 300.
const SETTLING_STEPS_MAX: usize = 5_000;

/// Everything that the cluster holds.
#[derive(Debug)]
pub(crate) struct World {
    /// The objects and their history.
    pub(crate) store: Store,
    /// Where names and uids come from.
    pub(crate) ids: Ids,
    /// Which start this is; a watch of an earlier one ends.
    pub(crate) start: u64,
}

/// What requests, watches and controllers share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    changed: tokio::sync::watch::Sender<u64>,
}

impl Shared {
    /// The world, for as long as the guard lives. It must not be held over an `await`.
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// The practice cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    shared: Arc<Shared>,
}

impl Cluster {
    /// A cluster with its practice objects, as if it had been running for days at `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        let world = Mutex::new(seed::world(now, 0));
        Self { shared: Arc::new(Shared { world, changed: tokio::sync::watch::Sender::new(0) }) }
    }

    /// A fresh start. Watches end.
    pub(crate) fn reset(&self) {
        {
            let mut world = self.shared.lock();
            *world = seed::world(crate::clock::now(), world.start + 1);
        }
        self.shared.tell();
    }

    /// Lets the controllers finish what they can, and shows the objects to `look`.
    pub(crate) fn settled<T>(&self, now: Timestamp, look: impl FnOnce(&Store) -> T) -> T {
        let mut world = self.shared.lock();
        controller::settle(&mut world, now, SETTLING_STEPS_MAX);
        let seen = look(&world.store);
        drop(world);
        self.shared.tell();
        seen
    }

    /// Answers one request.
    pub(crate) fn answer(&self, asked: &Asked, keys: &Credentials, now: Timestamp) -> Answer {
        let mut answer =
            self.respond(asked, keys, now).unwrap_or_else(|refusal| refusal.into_answer());
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            answer.headers.push((HeaderName::from_static("audit-id"), id));
        }
        answer
    }

    /// What the server says with `status` when it says nothing special.
    pub(crate) fn refuse(status: u16, retry_after_seconds: Option<u32>) -> Answer {
        Refusal::generic(status, retry_after_seconds).into_answer()
    }

    /// The answer to a path or query that can't be decoded.
    pub(crate) fn undecodable() -> Answer {
        Refusal::bad_request("the path or the query of the request can't be decoded").into_answer()
    }

    fn respond(
        &self,
        asked: &Asked,
        keys: &Credentials,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        access::authenticate(asked, keys)?;
        match route::find(&asked.segments)? {
            Route::Document(document) => {
                if asked.method != Method::GET {
                    return Err(Refusal::method_not_allowed());
                }
                Ok(document)
            }
            Route::AccessReview => access::review(asked),
            Route::Resource(target) => self.resource(asked, &target, now),
        }
    }

    fn resource(&self, asked: &Asked, target: &Target, now: Timestamp) -> Result<Answer, Refusal> {
        read::check_accept(asked)?;
        let verb = access::verb(asked, target)?;
        access::authorize(verb, target)?;
        if verb == "watch" {
            return watch::open(&self.shared, asked, target);
        }
        let mut world = self.shared.lock();
        let answer = match verb {
            "get" | "list" => read::answer(&world, asked, target, now),
            "create" => create::answer(&mut world, asked, target, now),
            "update" => update::answer(&mut world, asked, target, now),
            "patch" => patch::answer(&mut world, asked, target, now),
            _ => delete::answer(&mut world, asked, target, now),
        };
        drop(world);
        if answer.as_ref().is_ok_and(|answer| answer.took_effect) {
            self.shared.tell();
        }
        answer
    }
}

/// Runs the controllers until the future is dropped: one step, a rest of `pause`, and so on
/// while there is something to do; then it waits for a change.
pub(crate) async fn reconcile(cluster: Arc<Cluster>, pause: Duration) {
    let shared = Arc::clone(&cluster.shared);
    drop(cluster);
    let mut changed = shared.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let moved = controller::step(&mut shared.lock(), crate::clock::now());
        if moved {
            shared.tell();
            tokio::time::sleep(pause).await;
        } else {
            // Both ends of the wait mean the same: look again.
            let _ = tokio::time::timeout(IDLE_TICK, changed.changed()).await;
            tokio::time::sleep(pause).await;
        }
    }
}

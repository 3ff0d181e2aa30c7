//! The objects, and the last changes to them.
//!
//! One revision counts every change, as in the real store; watches and paged lists read the
//! log. This file knows no kind's rules: whoever writes here has checked before.

use super::object;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Changes that are kept for watches and paged lists.
const LOG_CHANGES_MAX: usize = 2_000;
/// What the kept changes may weigh together.
const LOG_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Objects in the cluster. A rehearsal needs tens.
pub(crate) const OBJECTS_MAX: usize = 5_000;
/// What all objects may weigh together.
pub(crate) const OBJECTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The first revision, so that a version looks like that of a cluster that has lived.
const REVISION_START: u64 = 10_000;

/// Where an object is kept. Sorted as the real store sorts its lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The plural of the kind.
    pub(crate) resource: &'static str,
    /// Empty for objects of the cluster as a whole.
    pub(crate) namespace: String,
    /// The name.
    pub(crate) name: String,
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The revision that it made.
    pub(crate) revision: u64,
    /// Which object.
    pub(crate) key: Key,
    /// As it was; `None` when it was created.
    pub(crate) before: Option<Arc<Value>>,
    /// As it is; `None` when it was deleted.
    pub(crate) after: Option<Arc<Value>>,
    /// As a watch shows it: as it is, or as it was with the version of its end.
    pub(crate) shown: Arc<Value>,
    bytes: usize,
}

/// The version that was asked for is not in the log any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    /// The oldest version that can be asked for.
    pub(crate) oldest: u64,
}

#[derive(Debug)]
struct Kept {
    object: Arc<Value>,
    bytes: usize,
}

/// Objects and log.
#[derive(Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Key, Kept>,
    objects_bytes: usize,
    revision: u64,
    log: VecDeque<Change>,
    log_bytes: usize,
}

impl Store {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            objects_bytes: 0,
            revision: REVISION_START,
            log: VecDeque::new(),
            log_bytes: 0,
        }
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether an object of `bytes` more still fits.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.objects.len() < OBJECTS_MAX && self.objects_bytes + bytes <= OBJECTS_BYTES_MAX
    }

    /// One object.
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key).map(|kept| &kept.object)
    }

    /// The objects of one kind, sorted; of one namespace, or of all.
    pub(crate) fn list<'a>(
        &'a self,
        resource: &'static str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let namespaced = namespace.unwrap_or_default().to_owned();
        let from = Key { resource, namespace: namespaced, name: String::new() };
        self.objects
            .range(from..)
            .take_while(move |(key, _)| {
                key.resource == resource && namespace.is_none_or(|wanted| key.namespace == wanted)
            })
            .map(|(key, kept)| (key, &kept.object))
    }

    /// All objects, sorted.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter().map(|(key, kept)| (key, &kept.object))
    }

    /// Writes an object and gives it the next revision as its version.
    pub(crate) fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object::put(
            &mut object,
            &["metadata", "resourceVersion"],
            json!(self.revision.to_string()),
        );
        let bytes = weight(&object);
        let object = Arc::new(object);
        let kept = Kept { object: Arc::clone(&object), bytes };
        let before = self.objects.insert(key.clone(), kept);
        self.objects_bytes += bytes;
        self.objects_bytes -= before.as_ref().map_or(0, |before| before.bytes);
        let before = before.map(|before| before.object);
        self.remember(Change {
            revision: self.revision,
            key,
            before,
            after: Some(Arc::clone(&object)),
            shown: Arc::clone(&object),
            bytes,
        });
        object
    }

    /// Takes an object out; what is given back carries the revision of its end.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let Kept { object: before, bytes } = self.objects.remove(key)?;
        self.revision += 1;
        self.objects_bytes -= bytes;
        let mut last = Value::clone(&before);
        let version = json!(self.revision.to_string());
        object::put(&mut last, &["metadata", "resourceVersion"], version);
        let last = Arc::new(last);
        self.remember(Change {
            revision: self.revision,
            key: key.clone(),
            before: Some(before),
            after: None,
            shown: Arc::clone(&last),
            bytes,
        });
        Some(last)
    }

    /// The changes after `revision`, oldest first.
    pub(crate) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, TooOld> {
        let oldest = self.oldest();
        if revision < oldest {
            return Err(TooOld { oldest });
        }
        let first = self.log.partition_point(|change| change.revision <= revision);
        Ok(self.log.range(first..))
    }

    /// The objects of one kind as they were at `revision`.
    pub(crate) fn list_at(
        &self,
        resource: &'static str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<BTreeMap<Key, Arc<Value>>, TooOld> {
        let mut objects: BTreeMap<_, _> = self
            .list(resource, namespace)
            .map(|(key, object)| (key.clone(), Arc::clone(object)))
            .collect();
        let newer: Vec<_> = self.since(revision)?.collect();
        for change in newer.into_iter().rev() {
            let is_meant = change.key.resource == resource
                && namespace.is_none_or(|wanted| change.key.namespace == wanted);
            match &change.before {
                Some(before) if is_meant => {
                    objects.insert(change.key.clone(), Arc::clone(before));
                }
                None if is_meant => {
                    objects.remove(&change.key);
                }
                _ => {}
            }
        }
        Ok(objects)
    }

    fn oldest(&self) -> u64 {
        self.log.front().map_or(self.revision, |change| change.revision - 1)
    }

    fn remember(&mut self, change: Change) {
        self.log_bytes += change.bytes;
        self.log.push_back(change);
        while self.log.len() > LOG_CHANGES_MAX || self.log_bytes > LOG_BYTES_MAX {
            let Some(oldest) = self.log.pop_front() else { return };
            self.log_bytes -= oldest.bytes;
        }
    }
}

/// The bytes of an object as JSON.
pub(crate) fn weight(object: &Value) -> usize {
    let mut counter = Counter(0);
    // Counting can't fail: the counter takes everything.
    let _ = serde_json::to_writer(&mut counter, object);
    counter.0
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { resource: "pods", namespace: "default".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_list_can_be_seen_as_it_was() {
        let mut store = Store::new();
        store.put(key("a"), json!({"n": 1}));
        store.put(key("b"), json!({"n": 1}));
        let then = store.revision();
        store.put(key("a"), json!({"n": 2}));
        store.put(key("c"), json!({"n": 1}));
        store.remove(&key("b"));

        let seen = store.list_at("pods", Some("default"), then).expect("in the log");

        assert_eq!(seen.keys().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(seen[&key("a")]["n"], 1);
        assert_eq!(store.since(then).expect("in the log").count(), 3);
        let weights: usize = store.all().map(|(_, object)| weight(object)).sum();
        assert_eq!(store.objects_bytes, weights);
    }

    #[test]
    fn a_version_out_of_the_log_is_too_old() {
        let mut store = Store::new();
        for number in 0..=LOG_CHANGES_MAX + 10 {
            store.put(key("a"), json!({"n": number}));
        }

        let too_old = store.since(REVISION_START).err().expect("refused");

        assert_eq!(too_old.oldest, REVISION_START + 11);
        assert_eq!(store.since(too_old.oldest).expect("kept").count(), LOG_CHANGES_MAX);
    }

    #[test]
    fn a_list_of_one_namespace_stops_at_its_end() {
        let mut store = Store::new();
        for namespace in ["a", "b", "c"] {
            let key = Key { namespace: namespace.to_owned(), ..key("x") };
            store.put(key, json!({}));
        }

        assert_eq!(store.list("pods", Some("b")).count(), 1);
        assert_eq!(store.list("pods", None).count(), 3);
        assert_eq!(store.list("secrets", None).count(), 0);
    }
}

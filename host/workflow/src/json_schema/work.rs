//! Counts how often a value can be looked at when a schema is applied to it.
//!
//! Two references to a part with two references double with every level, in a few bytes each. The
//! paths are added up with what is known of each part, so that counting takes no longer than
//! reading. A schema that refers to itself is good where each turn goes one level into the value,
//! and where only one such turn is taken at a time.

use serde_json::{Map, Value};
use std::collections::HashMap;

/// Visits that a schema may ask for at one value.
const VISITS_MAX: u64 = 10_000;

/// Parts inside parts, references followed.
const DEPTH_MAX: usize = 200;

/// The keywords whose parts are applied to what is inside a value: whether that is a list, and
/// whether no two of their parts are applied to the same thing inside.
const INSIDE: [(&str, bool, bool); 9] = [
    ("properties", false, true),
    ("additionalProperties", false, true),
    ("prefixItems", true, true),
    ("items", true, true),
    ("patternProperties", false, false),
    ("propertyNames", false, false),
    ("unevaluatedProperties", false, false),
    ("unevaluatedItems", true, false),
    ("contains", true, false),
];

/// Those that have a part for each name.
const NAMED: [&str; 2] = ["properties", "patternProperties"];

/// What one part of a schema comes to.
#[derive(Clone, Copy, Default)]
struct Work {
    /// How often something is looked at, with everything that is reached from here.
    visits: u64,
    /// How many turns of recursion one way into an object can take at the same time.
    into_objects: u64,
    /// The same for a list.
    into_lists: u64,
}

/// Where a part is while it is gone through.
#[derive(Clone, Copy)]
enum State {
    Open,
    Known(Work),
}

struct Walk<'s> {
    root: &'s Value,
    /// By the part's address in memory: two ways to write a reference lead to the same one.
    parts: HashMap<*const Value, State>,
    /// Parts from which the way that stays at one value is being followed, or was to its end.
    ends: HashMap<*const Value, bool>,
}

/// Refuses a schema that would look at values beyond measure.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let mut walk = Walk { root: schema, parts: HashMap::new(), ends: HashMap::new() };
    let work = walk.part(schema, 0)?;
    if work.visits > VISITS_MAX {
        return Err(format!(
            "its references come to more than {VISITS_MAX} parts that are applied to one value"
        ));
    }
    if work.turns() > 1 {
        return Err("it refers to itself more than once on the same way into a value, which \
                    doubles the work with every level"
            .to_owned());
    }
    Ok(())
}

impl Work {
    fn turns(&self) -> u64 {
        self.into_objects.max(self.into_lists)
    }

    /// Both are applied to the same value.
    fn and(self, other: Self) -> Self {
        Self {
            visits: self.visits.saturating_add(other.visits),
            into_objects: self.into_objects.saturating_add(other.into_objects),
            into_lists: self.into_lists.saturating_add(other.into_lists),
        }
    }

    /// They are applied to different values.
    fn or(self, other: Self) -> Self {
        Self {
            visits: self.visits.saturating_add(other.visits),
            into_objects: self.into_objects.max(other.into_objects),
            into_lists: self.into_lists.max(other.into_lists),
        }
    }

    /// It is applied to what is inside an object.
    fn below_object(self) -> Self {
        Self { into_objects: self.turns(), into_lists: 0, ..self }
    }

    /// It is applied to what is inside a list.
    fn below_list(self) -> Self {
        Self { into_lists: self.turns(), into_objects: 0, ..self }
    }
}

impl<'s> Walk<'s> {
    /// What a part comes to, `depth` parts below the whole.
    fn part(&mut self, part: &'s Value, depth: usize) -> Result<Work, String> {
        let Value::Object(members) = part else { return Ok(Work { visits: 1, ..Work::default() }) };
        match self.parts.get(&std::ptr::from_ref(part)) {
            Some(State::Known(work)) => return Ok(*work),
            Some(State::Open) => return Ok(Work { visits: 1, into_objects: 1, into_lists: 1 }),
            None => {}
        }
        self.check_end(part, depth)?;
        self.parts.insert(part, State::Open);
        let mut work = Work::default();
        for part in self.applied_here(members)? {
            work = work.and(self.part(part, depth + 1)?);
        }
        work = work.and(self.applied_inside(members, depth + 1)?);
        // They look at everything again, to find out what was looked at.
        if members.contains_key("unevaluatedProperties") || members.contains_key("unevaluatedItems")
        {
            work = work.and(work);
        }
        work.visits = work.visits.saturating_add(1);
        self.parts.insert(part, State::Known(work));
        Ok(work)
    }

    /// Refuses a part that leads back to itself without going into the value.
    fn check_end(&mut self, part: &'s Value, depth: usize) -> Result<(), String> {
        let Value::Object(members) = part else { return Ok(()) };
        match self.ends.get(&std::ptr::from_ref(part)) {
            Some(true) => return Ok(()),
            Some(false) => {
                return Err(
                    "it refers to itself without going into the value, which never ends".to_owned()
                );
            }
            None => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("it has more than {DEPTH_MAX} levels, references followed"));
        }
        self.ends.insert(part, false);
        for part in self.applied_here(members)? {
            self.check_end(part, depth + 1)?;
        }
        self.ends.insert(part, true);
        Ok(())
    }

    /// The parts that are applied to the same value.
    fn applied_here(&self, members: &'s Map<String, Value>) -> Result<Vec<&'s Value>, String> {
        let mut found = Vec::new();
        if let Some(Value::String(reference)) = members.get("$ref") {
            found.push(self.target(reference)?);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            found.extend(members.get(keyword).and_then(Value::as_array).into_iter().flatten());
        }
        for keyword in ["not", "if", "then", "else"] {
            found.extend(members.get(keyword));
        }
        for keyword in ["dependentSchemas", "dependencies"] {
            let of_members = members.get(keyword).and_then(Value::as_object);
            found.extend(of_members.into_iter().flat_map(Map::values));
        }
        Ok(found)
    }

    /// What is applied to what is inside the value.
    fn applied_inside(
        &mut self,
        members: &'s Map<String, Value>,
        depth: usize,
    ) -> Result<Work, String> {
        let (mut apart, mut sum) = (Work::default(), Work::default());
        for (keyword, into_list, is_apart) in INSIDE {
            let Some(value) = members.get(keyword) else { continue };
            let found: Vec<&Value> = match value {
                Value::Array(parts) => parts.iter().collect(),
                Value::Object(parts) if NAMED.contains(&keyword) => parts.values().collect(),
                one => vec![one],
            };
            for part in found {
                let work = self.part(part, depth)?;
                let work = if into_list { work.below_list() } else { work.below_object() };
                if is_apart {
                    apart = apart.or(work);
                } else {
                    sum = sum.and(work);
                }
            }
        }
        Ok(apart.and(sum))
    }

    fn target(&self, reference: &str) -> Result<&'s Value, String> {
        let shown: String =
            reference.chars().take(80).collect::<String>().escape_debug().to_string();
        let pointer =
            reference.strip_prefix('#').filter(|rest| !rest.contains('%')).ok_or_else(|| {
                format!(
                    "it refers to `{shown}`, and only parts of itself (`#/…`) can be referred to"
                )
            })?;
        self.root
            .pointer(pointer)
            .ok_or_else(|| format!("it refers to `{shown}`, which is not there"))
    }
}

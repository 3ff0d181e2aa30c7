//! `merge`: mappings one over the other.

use super::{Function, Keyword, Returned, wrong_type};
use crate::datum::Datum;
use crate::evaluate::Arguments;
use crate::fault::{Fault, quoted};
use crate::show;
use std::collections::BTreeMap;

pub(super) const FUNCTION: Function = Function {
    name: "merge",
    signature: "merge(object, …) or merge(objects: [object, …], mode: 'deep' or 'shallow')",
    summary: "One mapping of several, where later ones win; mappings inside are merged too.",
    arguments_min: 0,
    arguments_max: None,
    keywords: &[
        Keyword { name: "objects", required: true },
        Keyword { name: "mode", required: false },
    ],
    call,
};

const MAP: &str = "map[string]interface {}";

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(values) = arguments.values()? else { return Ok(None) };
    if arguments.is_keyword() {
        keyword(arguments, &values)
    } else {
        positional(arguments, &values)
    }
}

fn positional(arguments: &Arguments<'_, '_>, values: &[Datum]) -> Returned {
    let mut merged = BTreeMap::new();
    for (slot, value) in values.iter().enumerate() {
        let Datum::Map(map) = value else {
            return Err(arguments.blame(slot, wrong_type(value, MAP)));
        };
        merge(&mut merged, &map.fields, true)?;
    }
    Datum::map(merged).map(Some)
}

fn keyword(arguments: &Arguments<'_, '_>, values: &[Datum]) -> Returned {
    let [objects, mode] = values else { return Ok(None) };
    let deep =
        !arguments.is_given(1) || is_deep(mode).map_err(|fault| arguments.blame(1, fault))?;
    let Datum::List(list) = objects else {
        return Err(arguments.blame(0, wrong_type(objects, "[]interface {}")));
    };
    let mut merged = BTreeMap::new();
    for (index, object) in list.items.iter().enumerate() {
        let Datum::Map(map) = object else {
            let cause = Box::new(wrong_type(object, MAP));
            return Err(arguments.blame(0, Fault::ArrayIndex { index, cause }));
        };
        merge(&mut merged, &map.fields, deep)?;
    }
    Datum::map(merged).map(Some)
}

fn is_deep(mode: &Datum) -> Result<bool, Fault> {
    match mode.as_bytes() {
        Some(b"deep") => Ok(true),
        Some(b"shallow") => Ok(false),
        _ => Err(Fault::MergeMode(quoted(&show::brief(mode)?))),
    }
}

fn merge(
    into: &mut BTreeMap<String, Datum>,
    from: &BTreeMap<String, Datum>,
    deep: bool,
) -> Result<(), Fault> {
    for (key, value) in from {
        let both = match (into.get(key), value) {
            (Some(Datum::Map(below)), Datum::Map(above)) if deep => Some((below, above)),
            _ => None,
        };
        let value = match both {
            Some((below, above)) => {
                let mut fields = below.fields.clone();
                merge(&mut fields, &above.fields, deep)?;
                Datum::map(fields)?
            }
            None => value.clone(),
        };
        into.insert(key.clone(), value);
    }
    Ok(())
}

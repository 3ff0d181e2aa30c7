//! What every part of one evaluation shares: the scope and the budget.

use crate::datum::Datum;
use crate::fault::Fault;
use crate::limits::{OUTPUT_BYTES_MAX, WORK_MAX};
use crate::scope::Scope;
use jiff::Timestamp;
use serde_json::Value;
use std::cell::Cell;

/// How many bytes are copied in about the time of one step.
const BYTES_PER_STEP: usize = 64;

/// One evaluation.
pub(crate) struct Machine<'s> {
    scope: &'s Scope,
    work: Cell<u64>,
    written: Cell<usize>,
}

impl<'s> Machine<'s> {
    pub(crate) fn new(scope: &'s Scope) -> Self {
        Self { scope, work: Cell::new(0), written: Cell::new(0) }
    }

    pub(crate) fn scope(&self) -> &'s Scope {
        self.scope
    }

    pub(crate) fn now(&self) -> Result<Timestamp, Fault> {
        self.scope.now.ok_or(Fault::NoClock)
    }

    /// Counts `steps` of work.
    pub(crate) fn spend(&self, steps: usize) -> Result<(), Fault> {
        let work = self.work.get().saturating_add(steps as u64);
        self.work.set(work);
        if work > WORK_MAX { Err(Fault::TooMuchWork) } else { Ok(()) }
    }

    /// Counts the work of copying `bytes`.
    pub(crate) fn spend_bytes(&self, bytes: usize) -> Result<(), Fault> {
        self.spend(bytes / BYTES_PER_STEP)
    }

    /// Counts bytes of the result.
    fn write(&self, bytes: usize) -> Result<(), Fault> {
        let written = self.written.get().saturating_add(bytes);
        self.written.set(written);
        if written > OUTPUT_BYTES_MAX { Err(Fault::TooLarge) } else { Ok(()) }
    }

    /// A copy of `json` as a part of the result.
    pub(crate) fn copy(&self, json: &Value) -> Result<Value, Fault> {
        self.spend(1)?;
        Ok(match json {
            Value::String(text) => {
                self.write(8 + text.len())?;
                crate::encoding::to_json(text.as_bytes())
            }
            Value::Array(items) => {
                self.write(8)?;
                Value::Array(items.iter().map(|item| self.copy(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                self.write(8)?;
                let fields = fields.iter().map(|(key, value)| {
                    self.write(key.len())?;
                    Ok((key.clone(), self.copy(value)?))
                });
                Value::Object(fields.collect::<Result<_, Fault>>()?)
            }
            scalar => {
                self.write(8)?;
                scalar.clone()
            }
        })
    }

    /// `datum` as a part of the result.
    pub(crate) fn write_datum(&self, datum: &Datum) -> Result<Value, Fault> {
        self.write(datum.bytes())?;
        self.spend_bytes(datum.bytes())?;
        datum.to_json()
    }
}

//! Objects for people: as a table, as JSON, as YAML, as the text of a JSON path.
//!
//! Pure. What must not be shown is masked before it comes here.

pub mod document;
pub mod jsonpath;
pub mod table;

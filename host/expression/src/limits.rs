//! The bounds of evaluation, each with its reason.
//!
//! An expression is text from a file that a stranger may have written, over data that a stranger
//! may have sent. Nothing in it may take the host's stack, memory or time.

/// How deep a tree, an expression or a value may be nested: as deep as `serde_json` reads,
/// so that whatever is written can be read again.
pub const DEPTH_MAX: usize = 128;

/// The most bytes that one value, or one evaluated tree, may take. A request body of a step is
/// far smaller; a text that doubles itself gets here in twenty steps.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most nodes that one evaluation may visit: a second or so of work, far above what any
/// published workflow needs (a few hundred).
pub const WORK_MAX: u64 = 2_000_000;

/// The most bytes that a compiled regular expression may take.
pub const PATTERN_BYTES_MAX: usize = 1024 * 1024;

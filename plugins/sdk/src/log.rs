//! Lines for the people who follow the run: `log::info!("…")` and its sisters.
//!
//! Messages are formatted as in `format!`; fields may follow after a semicolon:
//! `log::info!("rolled back"; "from" => 4, "to" => 3)`. Trace and debug lines are only built when
//! someone wants them. The host cuts, escapes and redacts; a log line never fails.

use crate::wire;
use std::fmt;

pub use crate::bindings::bowline::plugin::log::Level;
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};

/// Writes one line. Use the macros instead.
#[doc(hidden)]
pub fn line(level: Level, message: fmt::Arguments<'_>, fields: &[(&str, &dyn fmt::Display)]) {
    let fields: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
    wire::write(level, &message.to_string(), &fields);
}

/// Whether anyone wants lines of this level.
#[must_use]
pub fn enabled(level: Level) -> bool {
    wire::enabled(level)
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($text:expr),+ $(; $($name:expr => $value:expr),+)? $(,)?) => {
        $crate::__log_trace!(@ [$($text),+] [$($($name => $value),+)?])
    };
    (@ [$($text:expr),+] [$($name:expr => $value:expr),*]) => {
        if $crate::log::enabled($crate::log::Level::Trace) {
            $crate::log::line(
                $crate::log::Level::Trace,
                format_args!($($text),+),
                &[$(($name, &$value)),*],
            );
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($text:expr),+ $(; $($name:expr => $value:expr),+)? $(,)?) => {
        $crate::__log_debug!(@ [$($text),+] [$($($name => $value),+)?])
    };
    (@ [$($text:expr),+] [$($name:expr => $value:expr),*]) => {
        if $crate::log::enabled($crate::log::Level::Debug) {
            $crate::log::line(
                $crate::log::Level::Debug,
                format_args!($($text),+),
                &[$(($name, &$value)),*],
            );
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($text:expr),+ $(; $($name:expr => $value:expr),+)? $(,)?) => {
        $crate::__log_info!(@ [$($text),+] [$($($name => $value),+)?])
    };
    (@ [$($text:expr),+] [$($name:expr => $value:expr),*]) => {
        $crate::log::line(
            $crate::log::Level::Info,
            format_args!($($text),+),
            &[$(($name, &$value)),*],
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($text:expr),+ $(; $($name:expr => $value:expr),+)? $(,)?) => {
        $crate::__log_warn!(@ [$($text),+] [$($($name => $value),+)?])
    };
    (@ [$($text:expr),+] [$($name:expr => $value:expr),*]) => {
        $crate::log::line(
            $crate::log::Level::Warn,
            format_args!($($text),+),
            &[$(($name, &$value)),*],
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($text:expr),+ $(; $($name:expr => $value:expr),+)? $(,)?) => {
        $crate::__log_error!(@ [$($text),+] [$($($name => $value),+)?])
    };
    (@ [$($text:expr),+] [$($name:expr => $value:expr),*]) => {
        $crate::log::line(
            $crate::log::Level::Error,
            format_args!($($text),+),
            &[$(($name, &$value)),*],
        )
    };
}

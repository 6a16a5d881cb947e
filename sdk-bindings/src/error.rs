//! Errors as a script sees them: `function: message`, which `catch` gets as a string.

use std::fmt::Display;

use rhai::{EvalAltResult, ImmutableString, Position};

/// An error on its way into the script.
pub type Thrown = Box<EvalAltResult>;

/// The error `function: message`. The interpreter adds the position of the call.
pub fn fail(function: &str, message: impl Display) -> Thrown {
    let text: ImmutableString = format!("{function}: {message}").into();
    EvalAltResult::ErrorRuntime(text.into(), Position::NONE).into()
}

/// The error for a parameter of the wrong type.
pub fn mismatch(function: &str, param: &str, expected: &str, given: &str) -> Thrown {
    let given = type_name(given);
    fail(function, format_args!("{param} must be {expected}, not {given}"))
}

/// The name that a script knows a type by: Rhai gives that of a handle with its Rust path.
pub fn type_name(name: &str) -> String {
    name.rsplit_once("::").map_or_else(|| name.to_owned(), |(_, last)| last.to_lowercase())
}

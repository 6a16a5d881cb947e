//! Errors as a script sees them: `function: message`, which `catch` gets as a string.
//!
//! A message that several functions throw is written here, once.

use std::fmt::Display;

use rhai::{EvalAltResult, INT, ImmutableString, Position};

/// An error on its way into the script.
pub type Thrown = Box<EvalAltResult>;

/// The error `function: message`. The interpreter adds the position of the call.
pub fn fail(function: &str, message: impl Display) -> Thrown {
    let text: ImmutableString = format!("{function}: {message}").into();
    EvalAltResult::ErrorRuntime(text.into(), Position::NONE).into()
}

/// A parameter has the wrong type.
pub fn mismatch(function: &str, param: &str, expected: &str, given: &str) -> Thrown {
    let given = type_name(given);
    fail(function, format_args!("{param} must be {expected}, not {given}"))
}

/// A string must have at least one character.
pub fn empty(function: &str, param: &str) -> Thrown {
    fail(function, format_args!("{param} must not be empty"))
}

/// A string or blob is longer than `most` bytes.
pub fn too_long(function: &str, param: &str, most: usize, length: usize) -> Thrown {
    fail(function, format_args!("{param} must have at most {most} bytes, not {length}"))
}

/// A number is below `least` or above `most`.
pub fn out_of_range(function: &str, param: &str, least: usize, most: usize, given: INT) -> Thrown {
    fail(function, format_args!("{param} must be {least} to {most}, not {given}"))
}

/// A map has a key that the function does not know. `what` is what the keys are, such as `option`.
pub fn unknown_key(function: &str, what: &str, key: &str, known: &[&str]) -> Thrown {
    fail(function, format_args!("unknown {what} '{key}' (allowed: {})", known.join(", ")))
}

/// A map lacks a key that the function needs.
pub fn required(function: &str, key: &str) -> Thrown {
    fail(function, format_args!("{key} is required"))
}

/// What a function gives would be larger than a script may have: `limit` bytes, elements or entries.
pub fn result_too_large(function: &str, limit: usize, unit: &str, setting: &str) -> Thrown {
    fail(function, format_args!("the result exceeds {limit} {unit} ({setting})"))
}

/// The host's answer is not what `interface.toml` says.
pub fn invalid_reply(function: &str, reason: impl Display) -> Thrown {
    fail(function, format_args!("invalid reply from the host: {reason}"))
}

/// The name of a type in messages. `name` is that of `type_of`, or the path of the Rust type where Rhai knows no other.
pub fn type_name(name: &str) -> String {
    match name {
        "i64" => "integer".into(),
        "f64" => "float".into(),
        "char" => "character".into(),
        "Fn" => "function".into(),
        name if name.contains("Range") => "range".into(),
        // `picloud_sdk::kv::Collection` is `kv::collection`, `picloud_sdk::files::File` is `file`.
        name => match name.rsplit("::").take(2).collect::<Vec<_>>()[..] {
            ["Collection", namespace] => format!("{namespace}::collection"),
            [last, ..] if last.starts_with(char::is_uppercase) => last.to_lowercase(),
            _ => name.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::message;

    #[test]
    fn every_shared_error_has_its_message() {
        for (error, expected) in [
            (mismatch("f", "key", "a string", "i64"), "f: key must be a string, not integer"),
            (
                mismatch("f", "key", "a string", "picloud_sdk::kv::Collection"),
                "f: key must be a string, not kv::collection",
            ),
            (
                mismatch("f", "key", "a string", "kv::collection"),
                "f: key must be a string, not kv::collection",
            ),
            (
                mismatch("f", "key", "a string", "picloud_sdk::files::File"),
                "f: key must be a string, not file",
            ),
            (
                mismatch("f", "key", "a string", "core::ops::range::Range<i64>"),
                "f: key must be a string, not range",
            ),
            (empty("f", "key"), "f: key must not be empty"),
            (too_long("f", "key", 512, 513), "f: key must have at most 512 bytes, not 513"),
            (out_of_range("f", "limit", 1, 1000, 0), "f: limit must be 1 to 1000, not 0"),
            (
                unknown_key("f", "option", "ttl", &["ttl_seconds"]),
                "f: unknown option 'ttl' (allowed: ttl_seconds)",
            ),
            (
                unknown_key("f", "field", "mime", &["name", "data"]),
                "f: unknown field 'mime' (allowed: name, data)",
            ),
            (required("f", "name"), "f: name is required"),
            (
                result_too_large("f", 9, "bytes", "max_string_size"),
                "f: the result exceeds 9 bytes (max_string_size)",
            ),
            (invalid_reply("f", "unexpected end"), "f: invalid reply from the host: unexpected end"),
        ] {
            assert_eq!(message(error), expected);
        }
    }
}

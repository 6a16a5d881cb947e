//! What a script passes in, checked: every message names the function, the parameter, and both types.

use rhai::{Dynamic, EvalAltResult, INT, ImmutableString, Map, NativeCallContext};

use crate::blob::Blob;
use crate::host::fail;

/// A failure on its way into the script, where `catch` sees its text.
pub type Thrown = Box<EvalAltResult>;

/// A parameter that must be a string.
pub fn string(function: &str, param: &str, value: Dynamic) -> Result<ImmutableString, Thrown> {
    value.into_immutable_string().map_err(|given| mismatch(function, param, "a string", given))
}

/// A parameter that must be a string of 1 to `most` bytes.
pub fn name(function: &str, param: &str, value: Dynamic, most: usize) -> Result<ImmutableString, Thrown> {
    let text = string(function, param, value)?;
    match text.len() {
        0 => Err(fail(function, format_args!("{param} must not be empty"))),
        length if length > most => {
            Err(fail(function, format_args!("{param} must have at most {most} bytes, not {length}")))
        }
        _ => Ok(text),
    }
}

/// A parameter that must be an int.
pub fn int(function: &str, param: &str, value: &Dynamic) -> Result<INT, Thrown> {
    value.as_int().map_err(|given| mismatch(function, param, "an int", given))
}

/// A parameter that must be an int from `least` to `most`.
pub fn size(
    function: &str,
    param: &str,
    value: &Dynamic,
    least: usize,
    most: usize,
) -> Result<usize, Thrown> {
    let number = int(function, param, value)?;
    match usize::try_from(number) {
        Ok(size) if (least..=most).contains(&size) => Ok(size),
        _ => Err(fail(function, format_args!("{param} must be {least} to {most}, not {number}"))),
    }
}

/// A parameter that must be a map, lent to `read`.
pub fn map<T>(
    function: &str,
    param: &str,
    value: &Dynamic,
    read: impl FnOnce(&Map) -> T,
) -> Result<T, Thrown> {
    match value.as_map_ref() {
        Ok(map) => Ok(read(&map)),
        Err(given) => Err(mismatch(function, param, "a map", given)),
    }
}

/// A parameter that may be a string or a blob, lent to `read` as bytes.
pub fn bytes<T>(
    function: &str,
    param: &str,
    value: &Dynamic,
    read: impl FnOnce(&[u8]) -> T,
) -> Result<T, Thrown> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(read(text.as_bytes()));
    }
    Blob::lend(value, read).ok_or_else(|| mismatch(function, param, "a string or a blob", value.type_name()))
}

/// Refuses a map with a key that is none of `known`; `what` says what the keys are, "option" for one.
pub fn keys(function: &str, what: &str, map: &Map, known: &[&str]) -> Result<(), Thrown> {
    let Some(unknown) = map.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let verb = if known.len() == 1 { "is" } else { "are" };
    Err(fail(function, format_args!("unknown {what} {unknown}; there {verb}: {}", known.join(", "))))
}

/// The error for a parameter of the wrong type.
pub fn mismatch(function: &str, param: &str, expected: &str, given: &str) -> Thrown {
    let given = type_name(given);
    fail(function, format_args!("{param} must be {expected}, not {given}"))
}

/// A type's name as a script knows it: a handle (`kv::collection`) comes with its Rust path.
pub fn type_name(name: &str) -> String {
    name.rsplit_once("::").map_or_else(|| name.to_owned(), |(_, last)| last.to_lowercase())
}

/// Refuses a string of `length` bytes that the interpreter would refuse once it were there: ask before
/// building it.
pub fn string_fits(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    fits(function, length, context.engine().max_string_size(), "bytes", "max_string_size")
}

/// The same for the elements of an array.
pub fn array_fits(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    fits(function, length, context.engine().max_array_size(), "elements", "max_array_size")
}

/// The same for the entries of a map.
pub fn map_fits(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    fits(function, length, context.engine().max_map_size(), "entries", "max_map_size")
}

/// Gives `value` back, or refuses it where it is larger than the interpreter lets a script have: where it comes out,
/// that would end the script, and here it can be caught.
pub fn result_fits(context: &NativeCallContext, function: &str, value: Dynamic) -> Result<Dynamic, Thrown> {
    match context.engine().ensure_data_size_within_limits(&value) {
        Ok(()) => Ok(value),
        Err(error) => {
            let limit = match error.to_string() {
                error if error.contains("string") => "max_string_size",
                error if error.contains("map") => "max_map_size",
                _ => "max_array_size",
            };
            Err(fail(function, format_args!("the result is larger than a script may have it ({limit})")))
        }
    }
}

/// `limit` 0 is none.
fn fits(function: &str, length: usize, limit: usize, unit: &str, name: &str) -> Result<(), Thrown> {
    if limit == 0 || length <= limit {
        return Ok(());
    }
    Err(fail(function, format_args!("the result would have over {limit} {unit} ({name})")))
}

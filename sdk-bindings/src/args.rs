//! What a script passes in, checked: every message names the function, the parameter, and both types.

use rhai::{Dynamic, INT, ImmutableString, Map};

use crate::blob::Blob;
use crate::error::{Thrown, fail, mismatch};

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

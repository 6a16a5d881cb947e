//! Checks of the parameters that a script passes. Errors name the function and the parameter.

use rhai::{Dynamic, INT, ImmutableString, Map};

use crate::blob::Blob;
use crate::error::{Thrown, empty, mismatch, out_of_range, too_long, unknown_key};

/// A parameter that must be a string.
pub fn string(function: &str, param: &str, value: Dynamic) -> Result<ImmutableString, Thrown> {
    value.into_immutable_string().map_err(|given| mismatch(function, param, "a string", given))
}

/// A parameter that must be a string of 1 to `most` bytes.
pub fn name(function: &str, param: &str, value: Dynamic, most: usize) -> Result<ImmutableString, Thrown> {
    let text = string(function, param, value)?;
    match text.len() {
        0 => Err(empty(function, param)),
        length if length > most => Err(too_long(function, param, most, length)),
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
        _ => Err(out_of_range(function, param, least, most, number)),
    }
}

/// A parameter that must be a map; calls `read` with it.
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

/// A parameter that must be a string or a blob; calls `read` with its bytes.
pub fn bytes<T>(
    function: &str,
    param: &str,
    value: &Dynamic,
    read: impl FnOnce(&[u8]) -> T,
) -> Result<T, Thrown> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(read(text.as_bytes()));
    }
    Blob::with_bytes(value, read)
        .ok_or_else(|| mismatch(function, param, "a string or a blob", value.type_name()))
}

/// Refuses a map with a key that is not in `known`. `what` is what the keys are, such as `option`.
pub fn keys(function: &str, what: &str, map: &Map, known: &[&str]) -> Result<(), Thrown> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(unknown_key(function, what, unknown, known)),
        None => Ok(()),
    }
}

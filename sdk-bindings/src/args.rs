//! What a script passes in, checked: every message names the function, the parameter, and both types.

use rhai::{Dynamic, EvalAltResult, INT, ImmutableString, Map, NativeCallContext};

use crate::host::fail;

/// A failure on its way into the script, where `catch` sees its text.
pub type Thrown = Box<EvalAltResult>;

/// A parameter that must be a string.
pub fn string(function: &str, param: &str, value: Dynamic) -> Result<ImmutableString, Thrown> {
    value.into_immutable_string().map_err(|given| mismatch(function, param, "a string", given))
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
    match value.as_blob_ref() {
        Ok(blob) => Ok(read(&blob)),
        Err(given) => Err(mismatch(function, param, "a string or a blob", given)),
    }
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

/// The same for the bytes of a blob, which the interpreter counts as elements of an array.
pub fn blob_fits(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    fits(function, length, context.engine().max_array_size(), "bytes in a blob", "max_array_size")
}

/// `limit` 0 is none.
fn fits(function: &str, length: usize, limit: usize, unit: &str, name: &str) -> Result<(), Thrown> {
    if limit == 0 || length <= limit {
        return Ok(());
    }
    Err(fail(function, format_args!("the result would have over {limit} {unit} ({name})")))
}

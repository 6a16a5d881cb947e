//! The size limits of the interpreter, checked before it stops the script: an error thrown here can be caught.

use rhai::{Dynamic, NativeCallContext};

use crate::error::{Thrown, fail};

/// Refuses a string of `length` bytes that is longer than a string may be. Call it before building the string.
pub fn check_string(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    check(function, length, context.engine().max_string_size(), "bytes", "max_string_size")
}

/// The same for the elements of an array.
pub fn check_array(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    check(function, length, context.engine().max_array_size(), "elements", "max_array_size")
}

/// The same for the entries of a map.
pub fn check_map(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    check(function, length, context.engine().max_map_size(), "entries", "max_map_size")
}

/// Gives `value` back, or refuses one that is larger than the interpreter lets a script have.
pub fn check_value(context: &NativeCallContext, function: &str, value: Dynamic) -> Result<Dynamic, Thrown> {
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
fn check(function: &str, length: usize, limit: usize, unit: &str, name: &str) -> Result<(), Thrown> {
    if limit == 0 || length <= limit {
        return Ok(());
    }
    Err(fail(function, format_args!("the result would have over {limit} {unit} ({name})")))
}

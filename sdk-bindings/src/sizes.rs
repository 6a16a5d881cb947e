//! The size limits of the interpreter, checked before it stops the script: an error thrown here can be caught.

use rhai::{Dynamic, Engine, NativeCallContext};

use crate::error::{Thrown, result_too_large};

/// What a size limit of the interpreter counts.
#[derive(Clone, Copy)]
enum Size {
    String,
    Array,
    Map,
}

impl Size {
    /// The limit that `engine` has; 0 is none.
    fn limit(self, engine: &Engine) -> usize {
        match self {
            Self::String => engine.max_string_size(),
            Self::Array => engine.max_array_size(),
            Self::Map => engine.max_map_size(),
        }
    }

    fn error(self, engine: &Engine, function: &str) -> Thrown {
        let (unit, setting) = match self {
            Self::String => ("bytes", "max_string_size"),
            Self::Array => ("elements", "max_array_size"),
            Self::Map => ("entries", "max_map_size"),
        };
        result_too_large(function, self.limit(engine), unit, setting)
    }

    fn check(self, context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
        match self.limit(context.engine()) {
            limit if limit > 0 && length > limit => Err(self.error(context.engine(), function)),
            _ => Ok(()),
        }
    }
}

/// Refuses a string of `length` bytes that is longer than a string may be. Call it before building the string.
pub fn check_string(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    Size::String.check(context, function, length)
}

/// The same for the elements of an array.
pub fn check_array(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    Size::Array.check(context, function, length)
}

/// The same for the entries of a map.
pub fn check_map(context: &NativeCallContext, function: &str, length: usize) -> Result<(), Thrown> {
    Size::Map.check(context, function, length)
}

/// Gives `value` back, or refuses one that is larger than a script may have.
pub fn check_value(context: &NativeCallContext, function: &str, value: Dynamic) -> Result<Dynamic, Thrown> {
    let engine = context.engine();
    match engine.ensure_data_size_within_limits(&value) {
        Ok(()) => Ok(value),
        Err(error) => {
            let size = match error.to_string() {
                error if error.contains("string") => Size::String,
                error if error.contains("map") => Size::Map,
                _ => Size::Array,
            };
            Err(size.error(engine, function))
        }
    }
}

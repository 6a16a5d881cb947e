//! Variables in memory.

use std::collections::BTreeMap;

use crate::wire::{Reader, WireError, Writer};

/// Values by name.
pub type Variables = BTreeMap<String, String>;

pub fn answer(
    set: &Variables,
    import: &str,
    reader: &mut Reader<'_>,
    reply: &mut Writer,
) -> Result<Result<(), String>, WireError> {
    match import {
        "vars_get" => {
            reply.optional_string(set.get(reader.string()?).map(String::as_str));
        }
        "vars_all" => {
            reply.map(set.len());
            for (name, value) in set {
                reply.string(name).string(value);
            }
        }
        _ => return Ok(Err(format!("no host function {import}"))),
    }
    Ok(Ok(()))
}

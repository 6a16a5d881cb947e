//! Keys and values in memory, which no time takes away.

use std::collections::BTreeMap;

use super::page::page;
use crate::wire::{Reader, WireError, Writer};

/// MessagePack values by collection and key.
pub type Entries = BTreeMap<(String, String), Vec<u8>>;

pub fn answer(
    kept: &mut Entries,
    import: &str,
    reader: &mut Reader<'_>,
    reply: &mut Writer,
) -> Result<Result<(), String>, WireError> {
    let collection = reader.string()?.to_owned();
    if matches!(import, "kv_list" | "kv_entries") {
        // The cursor is the last key of the page before.
        let (cursor, limit) = (reader.optional_string()?.unwrap_or_default(), reader.int()?);
        let behind = kept.iter().filter(|((name, key), _)| *name == collection && key.as_str() > cursor);
        let (behind, limit) =
            (behind.map(|((_, key), value)| (key, value)), usize::try_from(limit).unwrap_or(0));
        match import {
            "kv_list" => page(reply, "keys", behind.map(|(key, _)| (key.clone(), key.clone())), limit),
            _ => whole(reply, &behind.collect::<Vec<_>>(), limit),
        }
        return Ok(Ok(()));
    }
    let at = (collection, reader.string()?.to_owned());
    match import {
        "kv_get" => match kept.get(&at) {
            Some(stored) => drop(reply.raw_value(stored)),
            None => drop(reply.nil()),
        },
        "kv_set" => {
            kept.insert(at, reader.bytes()?.to_vec());
            reply.nil();
        }
        "kv_has" => {
            reply.bool(kept.contains_key(&at));
        }
        "kv_delete" => {
            reply.bool(kept.remove(&at).is_some());
        }
        "kv_increment" => {
            let stored = kept.get(&at).map_or(Ok(0), |stored| Reader::new(stored).int());
            let Ok(before) = stored else { return Ok(Err("not an integer".into())) };
            let after = before.saturating_add(reader.int()?);
            let mut writer = Writer::new();
            writer.int(after);
            kept.insert(at, writer.into_bytes());
            reply.int(after);
        }
        "kv_set_if" => {
            let (expected, value) = (reader.bytes()?, reader.bytes()?);
            let matches = kept.get(&at).map_or(expected == [0xc0], |stored| stored == expected);
            if matches {
                kept.insert(at, value.to_vec());
            }
            reply.bool(matches);
        }
        _ => return Ok(Err(format!("no host function {import}"))),
    }
    Ok(Ok(()))
}

/// Writes a page of up to `limit` keys with their values.
fn whole(reply: &mut Writer, behind: &[(&String, &Vec<u8>)], limit: usize) {
    let count = behind.len().min(limit);
    reply.map(2).string("entries").array(count);
    for (key, value) in &behind[..count] {
        reply.array(3).string(key).bytes(value).string(key);
    }
    reply.string("more").bool(behind.len() > count);
}

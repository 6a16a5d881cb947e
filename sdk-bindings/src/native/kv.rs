//! Keys and values in memory. Its clock stands still, so nothing expires.

use std::collections::BTreeMap;

use crate::wire::{Reader, WireError, Writer};

/// A MessagePack value and its seconds to live.
pub type Stored = (Vec<u8>, Option<i64>);

/// What is stored, by collection and key.
pub type Entries = BTreeMap<(String, String), Stored>;

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
            "kv_list" => keys(reply, &behind.map(|(key, _)| key).collect::<Vec<_>>(), limit),
            _ => whole(reply, &behind.collect::<Vec<_>>(), limit),
        }
        return Ok(Ok(()));
    }
    let at = (collection, reader.string()?.to_owned());
    match import {
        "kv_get" => match kept.get(&at) {
            Some((stored, _)) => drop(reply.raw_value(stored)),
            None => drop(reply.nil()),
        },
        "kv_set" => {
            kept.insert(at, (reader.bytes()?.to_vec(), ttl(reader)?));
            reply.nil();
        }
        "kv_has" => {
            reply.bool(kept.contains_key(&at));
        }
        "kv_ttl" => {
            reply.optional_int(kept.get(&at).and_then(|(_, ttl)| *ttl));
        }
        "kv_delete" => {
            reply.bool(kept.remove(&at).is_some());
        }
        "kv_increment" => {
            let stored = kept.get(&at).map_or(Ok(0), |(stored, _)| Reader::new(stored).int());
            let Ok(before) = stored else { return Ok(Err("not an integer".into())) };
            let after = before.saturating_add(reader.int()?);
            let first = ttl(reader)?;
            let mut writer = Writer::new();
            writer.int(after);
            let kept = kept.entry(at).or_insert_with(|| (Vec::new(), first));
            kept.0 = writer.into_bytes();
            reply.int(after);
        }
        "kv_set_if" => {
            let (expected, value) = (reader.bytes()?, reader.bytes()?);
            let matches = kept.get(&at).map_or(expected == [0xc0], |(stored, _)| stored == expected);
            if matches {
                let before = kept.get(&at).and_then(|(_, ttl)| *ttl);
                kept.insert(at, (value.to_vec(), ttl(reader)?.or(before)));
            }
            reply.bool(matches);
        }
        _ => return Ok(Err(format!("no host function {import}"))),
    }
    Ok(Ok(()))
}

fn ttl(reader: &mut Reader<'_>) -> Result<Option<i64>, WireError> {
    if reader.nil() { Ok(None) } else { reader.int().map(Some) }
}

/// Writes a page of up to `limit` keys.
fn keys(reply: &mut Writer, behind: &[&String], limit: usize) {
    let count = behind.len().min(limit);
    reply.map(2).string("keys").array(count);
    for key in &behind[..count] {
        reply.string(key);
    }
    let last = behind[..count].last().filter(|_| behind.len() > count);
    reply.string("next_cursor").optional_string(last.map(|key| key.as_str()));
}

/// Writes a page of up to `limit` keys with their values.
fn whole(reply: &mut Writer, behind: &[(&String, &Stored)], limit: usize) {
    let count = behind.len().min(limit);
    reply.map(2).string("entries").array(count);
    for (key, (value, _)) in &behind[..count] {
        reply.array(3).string(key).bytes(value).string(key);
    }
    reply.string("more").bool(behind.len() > count);
}

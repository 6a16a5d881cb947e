//! Documents in memory, and as much of the filters as the examples need.

use std::{cmp::Ordering, collections::BTreeMap};

use rhai::{Array, Dynamic, Map};

use super::page::{NOW, id, page};
use crate::{
    envelope::read_negative_zeros,
    json,
    wire::{Reader, WireError, Writer},
};

/// The data of documents, by collection and id.
#[derive(Default)]
pub struct Documents {
    kept: BTreeMap<(String, String), Map>,
    made: usize,
}

impl Documents {
    pub fn answer(
        &mut self,
        import: &str,
        reader: &mut Reader<'_>,
        reply: &mut Writer,
    ) -> Result<Result<(), String>, WireError> {
        let collection = reader.string()?.to_owned();
        match import {
            "docs_create" => {
                self.made += 1;
                let (at, data) = ((collection, id(self.made)), read(reader.string()?));
                reply.string(&envelope(&at.1, &data));
                self.kept.insert(at, data);
            }
            "docs_get" => {
                let at = (collection, reader.string()?.to_owned());
                reply.optional_string(self.kept.get(&at).map(|data| envelope(&at.1, data)).as_deref());
            }
            "docs_update" | "docs_patch" => {
                let at = (collection, reader.string()?.to_owned());
                let Some(data) = self.kept.get_mut(&at) else { return Ok(Err("no such document".into())) };
                let given = read(reader.string()?);
                match import {
                    "docs_patch" => merge(data, given),
                    _ => *data = given,
                }
                reply.string(&envelope(&at.1, data));
            }
            "docs_delete" => {
                let at = (collection, reader.string()?.to_owned());
                reply.bool(self.kept.remove(&at).is_some());
            }
            "docs_list" => {
                let (cursor, limit) = (reader.optional_string()?.unwrap_or_default(), reader.int()?);
                let kept =
                    self.kept.iter().filter(|((name, id), _)| *name == collection && id.as_str() > cursor);
                let kept = kept.map(|((_, id), data)| (id.clone(), envelope(id, data)));
                page(reply, "docs", kept, usize::try_from(limit).unwrap_or(0));
            }
            _ => {
                let found = self.find(&collection, &reader.value()?.cast());
                match import {
                    "docs_count" => drop(reply.int(found.len() as i64)),
                    "docs_find_one" => drop(reply.optional_string(found.first().map(String::as_str))),
                    _ => {
                        reply.map(2).string("docs").array(found.len());
                        for envelope in &found {
                            reply.string(envelope);
                        }
                        reply.string("more").bool(false);
                    }
                }
            }
        }
        Ok(Ok(()))
    }

    fn find(&self, collection: &str, filter: &Map) -> Vec<String> {
        let matches = |id: &str, data: &Map| {
            filter
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "$sort" | "$limit"))
                .all(|(path, wanted)| meets(&field(id, data, path), wanted))
        };
        let kept = self.kept.iter().filter(|((name, id), data)| name == collection && matches(id, data));
        let mut found: Vec<_> = kept.map(|((_, id), data)| (id, data)).collect();
        if let Some(sort) = filter.get("$sort").map(ToString::to_string) {
            let (path, descending) =
                sort.strip_prefix('-').map_or((sort.as_str(), false), |path| (path, true));
            found.sort_by(|one, other| {
                let order = compare(&field(one.0, one.1, path), &field(other.0, other.1, path))
                    .unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            });
        }
        let limit = filter.get("$limit").and_then(|limit| limit.as_int().ok()).unwrap_or(1000);
        found
            .into_iter()
            .take(usize::try_from(limit).unwrap_or(0))
            .map(|(id, data)| envelope(id, data))
            .collect()
    }
}

fn read(text: &str) -> Map {
    let text = read_negative_zeros(text);
    json::parse(text.as_bytes()).ok().and_then(Dynamic::try_cast).expect("a document is an object")
}

/// A field of a document, or of its envelope: `$id`, `$created_at`, `$updated_at`.
fn field(id: &str, data: &Map, path: &str) -> Dynamic {
    match path {
        "$id" => id.into(),
        "$created_at" | "$updated_at" => NOW.into(),
        _ => at(data, path),
    }
}

fn envelope(id: &str, data: &Map) -> String {
    let data = json::render_map(data, usize::MAX).expect("it came as JSON");
    format!(r#"{{"id":"{id}","data":{data},"created_at":"{NOW}","updated_at":"{NOW}"}}"#)
}

/// RFC 7396.
fn merge(data: &mut Map, patch: Map) {
    for (key, value) in patch {
        if value.is_unit() {
            data.remove(&key);
        } else if let Some(patch) = value.clone().try_cast::<Map>() {
            let mut inner = data.remove(&key).and_then(Dynamic::try_cast).unwrap_or_default();
            merge(&mut inner, patch);
            data.insert(key, inner.into());
        } else {
            data.insert(key, value);
        }
    }
}

fn at(data: &Map, path: &str) -> Dynamic {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let value = data.get(head).cloned().unwrap_or_default();
    match rest {
        None => value,
        Some(rest) => value.try_cast().map_or(Dynamic::UNIT, |inner: Map| at(&inner, rest)),
    }
}

fn meets(value: &Dynamic, wanted: &Dynamic) -> bool {
    match wanted.clone().try_cast::<Map>() {
        None => compare(value, wanted) == Some(Ordering::Equal),
        Some(operators) => operators.iter().all(|(operator, operand)| match operator.as_str() {
            "$gt" => compare(value, operand) == Some(Ordering::Greater),
            "$lt" => compare(value, operand) == Some(Ordering::Less),
            "$in" => operand.clone().cast::<Array>().iter().any(|operand| meets(value, operand)),
            operator => panic!("{operator} is not in here"),
        }),
    }
}

/// None across types.
fn compare(one: &Dynamic, other: &Dynamic) -> Option<Ordering> {
    let number =
        |value: &Dynamic| value.as_float().or_else(|_| value.as_int().map(|number| number as f64)).ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.partial_cmp(&other),
        (None, None) if one.type_id() == other.type_id() => Some(one.to_string().cmp(&other.to_string())),
        _ => None,
    }
}

//! Pages of stored data. A page ends early at the size limits of the script that reads it.
//!
//! An item that exceeds the limits alone was stored under larger ones, or by a user. It is returned without its data and
//! with `too_large`, so that the list goes on behind it and the script can delete it.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use crate::data_size::DataSize;
use crate::error::{Thrown, invalid_reply};

/// An item of a page, not yet built.
pub trait Item {
    /// The most that it can count, found without reading it.
    fn bound(&self) -> DataSize;

    /// What it counts, or None when a script cannot have it, whatever its limits.
    fn size(&self, engine: &Engine) -> Option<DataSize>;

    /// The item as the script sees it.
    fn build(&self) -> Result<Dynamic, String>;

    /// The item without its data.
    fn stub(&self) -> Result<Map, String>;
}

/// What a page counts apart from its items: its two fields, and `more` of `docs::find`.
const EMPTY: DataSize = DataSize { string_bytes: 0, elements: 0, entries: 3 };

/// What a page counts that has one item, of this size, and `extra` bytes of a cursor.
pub fn with_one(size: DataSize, extra: usize) -> DataSize {
    EMPTY + size + DataSize { string_bytes: extra, elements: 1, entries: 0 }
}

/// The items that fit, from the first one.
///
/// `extra` is the bytes of what is returned when the n-th item is the last one, such as its cursor. Throws when not even
/// the first item without its data fits.
pub fn fitting<T: Item>(
    context: &NativeCallContext,
    function: &str,
    items: &[T],
    extra: impl Fn(usize) -> usize,
) -> Result<Array, Thrown> {
    let engine = context.engine();
    let build = |item: &T| item.build().map_err(|error| invalid_reply(function, error));
    let longest = (0..items.len()).map(&extra).max().unwrap_or_default();
    let bound = items.iter().fold(DataSize::default(), |sum, item| with_one(sum + item.bound(), 0));
    if with_one(bound, longest).fits(engine) {
        return items.iter().map(build).collect();
    }
    let (mut built, mut total) = (Array::with_capacity(items.len()), DataSize::default());
    for (index, item) in items.iter().enumerate() {
        let extra = extra(index);
        let size = item.size(engine).filter(|size| with_one(*size, extra).fits(engine));
        let (size, stub) = match size {
            Some(size) => (size, None),
            None => {
                let mut stub = item.stub().map_err(|error| invalid_reply(function, error))?;
                stub.insert("too_large".into(), true.into());
                (DataSize::of_flat(&stub), Some(stub))
            }
        };
        match with_one(total + size, extra).excess(engine) {
            Some(excess) if built.is_empty() => return Err(excess.of_result(function)),
            Some(_) => break,
            None => {}
        }
        built.push(match stub {
            Some(stub) => stub.into(),
            None => build(item)?,
        });
        total = total + size + DataSize { elements: 1, ..DataSize::default() };
    }
    Ok(built)
}

/// A page: the items that fit, under `name`, and `next_cursor`, which is `()` at the end.
///
/// `cursors` has one for each item; `more` says whether the host has more items.
pub fn page<T: Item>(
    context: &NativeCallContext,
    function: &str,
    name: &str,
    items: &[T],
    cursors: &[&str],
    more: bool,
) -> Result<Dynamic, Thrown> {
    let built = fitting(context, function, items, |index| cursors[index].len())?;
    let last = built.len().checked_sub(1).filter(|_| more || built.len() < items.len());
    let cursor = last.map_or(Dynamic::UNIT, |last| cursors[last].into());
    Ok(Map::from([(name.into(), built.into()), ("next_cursor".into(), cursor)]).into())
}

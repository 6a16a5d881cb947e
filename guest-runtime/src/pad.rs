//! `pad` of arrays, with sizes that are counted in 64 bits.
//!
//! The guest's own sizes have 32 bits: Rhai's version takes a length of more than that for none, and its check of the
//! new size overflows.

use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Map, NativeCallContext, Position,
};

/// Registers `pad` for arrays.
pub fn register(engine: &mut Engine) {
    engine.register_fn("pad", pad);
}

fn pad(
    context: NativeCallContext,
    array: &mut Array,
    length: INT,
    item: Dynamic,
) -> Result<(), Box<EvalAltResult>> {
    let Some(count) = u64::try_from(length).ok().and_then(|length| length.checked_sub(array.len() as u64))
    else {
        return Ok(());
    };
    let (engine, mut sizes, one) = (context.engine(), Sizes::default(), Sizes::of(&item));
    array.iter().for_each(|value| sizes.add(value));
    for (what, size, each, limit) in [
        ("Size of array/BLOB", sizes.elements, one.elements, engine.max_array_size()),
        ("Size of object map", sizes.entries, one.entries, engine.max_map_size()),
        ("Length of string", sizes.bytes, one.bytes, engine.max_string_size()),
    ] {
        if limit > 0 && each.saturating_mul(count).saturating_add(size) > limit as u64 {
            return Err(EvalAltResult::ErrorDataTooLarge(what.into(), Position::NONE).into());
        }
    }
    // It has at most `max_array_size` elements now.
    array.resize(length as usize, item);
    Ok(())
}

/// What the interpreter counts in a value: elements of arrays and bytes of blobs, entries of maps, bytes of strings.
/// A blob counts as one element more than it has bytes.
#[derive(Default)]
struct Sizes {
    elements: u64,
    entries: u64,
    bytes: u64,
}

impl Sizes {
    /// The sizes of one element of an array.
    fn of(value: &Dynamic) -> Self {
        let mut sizes = Self::default();
        sizes.add(value);
        sizes
    }

    fn add(&mut self, value: &Dynamic) {
        self.elements += 1;
        self.add_inner(value);
    }

    fn add_inner(&mut self, value: &Dynamic) {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            self.bytes += text.len() as u64;
        } else if let Some(blob) = value.read_lock::<Blob>() {
            self.elements += 1 + blob.len() as u64;
        } else if let Some(array) = value.read_lock::<Array>() {
            array.iter().for_each(|value| self.add(value));
        } else if let Some(map) = value.read_lock::<Map>() {
            self.entries += map.len() as u64;
            map.values().for_each(|value| self.add_inner(value));
        }
    }
}

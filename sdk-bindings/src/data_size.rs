//! How large stored data is for the interpreter, counted before the value is built.
//!
//! Rhai adds up all strings, array elements and map entries inside a value and compares the sums with its limits
//! (`calc_data_sizes` in its `eval/data_check.rs`). Counting first means that no stored value, however it came there,
//! can use up a script's memory, and that a page can end before the value that does not fit.

use std::fmt;
use std::ops::Add;

use rhai::{Engine, Map};
use rmp::Marker;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{Thrown, fail, result_too_large};
use crate::limits::MAX_NESTING_LEVELS;
use crate::wire::{Reader, WireError};

/// What the size limits count in a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DataSize {
    /// Bytes of all strings; the keys of maps do not count.
    pub string_bytes: usize,
    /// Elements of all arrays.
    pub elements: usize,
    /// Entries of all maps.
    pub entries: usize,
}

impl Add for DataSize {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            string_bytes: self.string_bytes + other.string_bytes,
            elements: self.elements + other.elements,
            entries: self.entries + other.entries,
        }
    }
}

/// A limit that a value exceeds.
pub struct Excess {
    limit: usize,
    unit: &'static str,
    setting: &'static str,
}

impl Excess {
    /// The error of a function that would return the value.
    pub fn of_result(&self, function: &str) -> Thrown {
        result_too_large(function, self.limit, self.unit, self.setting)
    }

    /// The error of a function that would store a value which no function could return.
    pub fn of_write(&self, function: &str, param: &str) -> Thrown {
        let Self { limit, unit, setting } = self;
        fail(
            function,
            format_args!(
                "{param} is too large to be read back: with what is returned around it, it exceeds {limit} {unit} \
                 ({setting}); store it in parts"
            ),
        )
    }
}

impl DataSize {
    /// The most that JSON of `length` bytes can hold: `0,` is an element, and `"":0,` an entry.
    pub fn bound_of_json(length: usize) -> Self {
        Self { string_bytes: length, elements: length / 2, entries: length / 5 }
    }

    /// The most that MessagePack of `length` bytes can hold.
    pub fn bound_of_packed(length: usize) -> Self {
        Self { string_bytes: length, elements: length, entries: length / 2 }
    }

    /// Counts JSON. Fails when it is not valid, or nested deeper than a script can read.
    pub fn of_json(text: &str) -> Result<Self, String> {
        let mut size = Self::default();
        let mut reader = serde_json::Deserializer::from_str(text);
        reader.disable_recursion_limit(); // `Count` counts
        let count = Count { size: &mut size, depth: 0 };
        count.deserialize(&mut reader).and_then(|()| reader.end()).map_err(|error| error.to_string())?;
        Ok(size)
    }

    /// Counts one MessagePack value as `Reader::value` would read it, or `Reader::part` if it goes `into` a map.
    pub fn of_packed(engine: &Engine, bytes: &[u8], into: bool) -> Result<Self, WireError> {
        let longest = match engine.max_array_size() {
            0 => usize::MAX,
            limit => limit,
        };
        let mut size = Self::default();
        size.add_packed(&mut Reader::new(bytes), longest, usize::from(into))?;
        Ok(size)
    }

    fn add_packed(&mut self, reader: &mut Reader<'_>, longest: usize, depth: usize) -> Result<(), WireError> {
        // A value that goes into a map begins at 1, and may be as deep as any.
        if depth > MAX_NESTING_LEVELS + 1 {
            return Err(WireError::TooDeep);
        }
        match reader.marker()? {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                self.string_bytes += reader.string()?.len();
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                for _ in 0..reader.map()? {
                    self.entries += 1;
                    reader.string()?;
                    self.add_packed(reader, longest, depth + 1)?;
                }
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                for _ in 0..reader.array()? {
                    self.elements += 1;
                    self.add_packed(reader, longest, depth + 1)?;
                }
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                // Only a native blob counts: see `Blob::of` and `Blob::within`.
                let length = reader.bytes()?.len();
                self.elements += match depth {
                    0 if length <= longest => length,
                    1.. if length <= longest / 4 => length + 1,
                    _ => 0,
                };
            }
            Marker::Null => drop(reader.nil()),
            Marker::True | Marker::False => drop(reader.bool()?),
            Marker::F32 | Marker::F64 => drop(reader.float()?),
            _ => drop(reader.int()?),
        }
        Ok(())
    }

    /// Counts a map of strings and values without a size.
    pub fn of_flat(map: &Map) -> Self {
        let text = |value: &rhai::Dynamic| value.as_immutable_string_ref().map_or(0, |text| text.len());
        Self { string_bytes: map.values().map(text).sum(), elements: 0, entries: map.len() }
    }

    /// The first limit of `engine` that this exceeds, if any.
    pub fn excess(self, engine: &Engine) -> Option<Excess> {
        [
            (self.string_bytes, engine.max_string_size(), "bytes", "max_string_size"),
            (self.elements, engine.max_array_size(), "elements", "max_array_size"),
            (self.entries, engine.max_map_size(), "entries", "max_map_size"),
        ]
        .into_iter()
        .find(|(size, limit, ..)| *limit > 0 && size > limit)
        .map(|(_, limit, unit, setting)| Excess { limit, unit, setting })
    }

    /// Whether this is within the limits of `engine`.
    pub fn fits(self, engine: &Engine) -> bool {
        self.excess(engine).is_none()
    }
}

/// Adds up a JSON value at a nesting level.
struct Count<'a> {
    size: &'a mut DataSize,
    depth: usize,
}

impl Count<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Count<'_>, E> {
        if self.depth > MAX_NESTING_LEVELS {
            return Err(E::custom(WireError::TooDeep));
        }
        Ok(Count { size: self.size, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.size.string_bytes += text.len();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.inner()?)?.is_some() {
            self.size.elements += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key::<IgnoredAny>()?.is_some() {
            self.size.entries += 1;
            fields.next_value_seed(self.inner()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::{Dynamic, Engine};

    use super::DataSize;
    use crate::json;
    use crate::testing::values;
    use crate::wire::{Reader, Writer};

    /// Whether the engine takes a value at exactly this size, and at no smaller one.
    fn is_exact(value: &Dynamic, size: DataSize) -> bool {
        let takes = |size: DataSize| {
            let mut engine = Engine::new();
            // 0 would be no limit.
            engine.set_max_string_size(size.string_bytes.max(1));
            engine.set_max_array_size(size.elements.max(1));
            engine.set_max_map_size(size.entries.max(1));
            engine.ensure_data_size_within_limits(value).is_ok()
        };
        let less = |take: fn(&mut DataSize) -> &mut usize| {
            let mut less = size;
            let field = take(&mut less);
            *field < 2 || {
                *field -= 1;
                !takes(less)
            }
        };
        takes(size)
            && less(|size| &mut size.string_bytes)
            && less(|size| &mut size.elements)
            && less(|size| &mut size.entries)
    }

    proptest! {
        #[test]
        fn the_count_is_that_of_the_interpreter(value in values(), blob in prop::collection::vec(any::<u8>(), 0..64)) {
            let text = json::render(&value, usize::MAX).unwrap();
            let size = DataSize::of_json(&text).unwrap();
            prop_assert!(is_exact(&json::parse(text.as_bytes()).unwrap(), size));
            let bound = DataSize::bound_of_json(text.len());
            prop_assert!(size.string_bytes <= bound.string_bytes && size.elements <= bound.elements && size.entries <= bound.entries);

            let engine = crate::testing::engine();
            let mut packed = Writer::new();
            packed.value(&Dynamic::from_array(vec![value, Dynamic::from_blob(blob)])).unwrap();
            let size = DataSize::of_packed(&engine, packed.as_bytes(), false).unwrap();
            prop_assert!(is_exact(&Reader::new(packed.as_bytes()).value().unwrap(), size));
            let bound = DataSize::bound_of_packed(packed.as_bytes().len());
            prop_assert!(size.string_bytes <= bound.string_bytes && size.elements <= bound.elements && size.entries <= bound.entries);
        }
    }

    #[test]
    fn data_deeper_than_a_script_reads_is_not_counted() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(DataSize::of_json(&nested(128)).is_ok());
        assert!(DataSize::of_json(&nested(1_000_000)).is_err());
        assert!(DataSize::of_packed(&Engine::new(), &[0x91; 1_000_000], false).is_err());
    }

    #[test]
    fn a_blob_counts_as_it_is_read() {
        let engine = crate::testing::engine();
        for (length, whole, inside) in [(2_500, 2_500, 2_501), (2_501, 2_501, 0), (10_001, 0, 0)] {
            let mut packed = Writer::new();
            packed.bytes(&vec![0; length]);
            let count = |into| DataSize::of_packed(&engine, packed.as_bytes(), into).unwrap().elements;
            assert_eq!((count(false), count(true)), (whole, inside), "{length}");
        }
    }
}

//! Parsing JSON into Rhai values.

use std::fmt;

use rhai::{Array, Dynamic, FLOAT, INT, Identifier, Map};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::body::without_bom;
use crate::limits::MAX_NESTING_LEVELS;
use crate::wire::WireError;

/// Parses JSON, without a byte order mark in front; the error message has line and column.
pub fn parse(text: &[u8]) -> Result<Dynamic, String> {
    let text = without_bom(std::str::from_utf8(text).map_err(|error| format!("{error}"))?);
    let mut reader = serde_json::Deserializer::from_str(text);
    // Its own limit of 128 levels is counted otherwise than that of the wire: `Depth` counts.
    reader.disable_recursion_limit();
    let value = Depth(0).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| error.to_string())
}

/// Deserializes a value at this nesting level.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn next<E: de::Error>(self) -> Result<Self, E> {
        if self.0 < MAX_NESTING_LEVELS { Ok(Self(self.0 + 1)) } else { Err(E::custom(WireError::TooDeep)) }
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Dynamic, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Dynamic;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Dynamic, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Dynamic, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Dynamic, E> {
        Ok(INT::try_from(number).map_or_else(|_| (number as FLOAT).into(), Into::into))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Dynamic, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Dynamic, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        let inner = self.next()?;
        let mut array = Array::new();
        while let Some(value) = items.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Dynamic, A::Error> {
        let inner = self.next()?;
        let mut map = Map::new();
        while let Some(Key(key)) = entries.next_key()? {
            map.insert(key, entries.next_value_seed(inner)?);
        }
        Ok(map.into())
    }
}

/// A map key; Rhai stores short ones without an allocation.
struct Key(Identifier);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.into()))
            }
        }

        reader.deserialize_str(Text)
    }
}

//! An object of the host as JSON: the envelope of a document, or the entry of a file.

use std::borrow::Cow;
use std::fmt;

use rhai::{Dynamic, Engine, INT, Map};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::data_size::DataSize;
use crate::json;
use crate::page::Item;

/// The JSON of a map whose fields are its own, such as `id`, except for one that a script filled: `data`, `metadata`.
pub struct Envelope<'a>(pub &'a str);

impl Item for Envelope<'_> {
    fn bound(&self) -> DataSize {
        DataSize::bound_of_json(self.0.len())
    }

    fn size(&self, _: &Engine) -> Option<DataSize> {
        DataSize::of_json(self.0).ok()
    }

    fn build(&self) -> Result<Dynamic, String> {
        json::parse(read_negative_zeros(self.0).as_bytes())
    }

    fn stub(&self) -> Result<Map, String> {
        let mut reader = serde_json::Deserializer::from_str(self.0);
        reader.deserialize_map(Outer).map_err(|error| error.to_string())
    }
}

/// How a document is stored that has -0.0: jsonb has no negative zero, but keeps the digits of a number, and no other
/// float is written with these.
pub const NEGATIVE_ZERO: &str = "0.00";

/// Turns every [`NEGATIVE_ZERO`] outside of strings into `-0.0`.
pub fn read_negative_zeros(text: &str) -> Cow<'_, str> {
    if !text.contains(NEGATIVE_ZERO) {
        return text.into();
    }
    let in_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    let bytes = text.as_bytes();
    let (mut read, mut copied, mut at, mut in_string) = (String::with_capacity(text.len()), 0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => in_string = !in_string,
            b'\\' => at += 1, // only in a string
            b'0' if !in_string && bytes[at..].starts_with(NEGATIVE_ZERO.as_bytes()) => {
                let end = at + NEGATIVE_ZERO.len();
                let starts = at.checked_sub(1).is_none_or(|before| !in_number(bytes[before]));
                if starts && bytes.get(end).is_none_or(|after| !in_number(*after)) {
                    read.push_str(&text[copied..at]);
                    read.push_str("-0.0");
                    copied = end;
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    read.push_str(&text[copied..]);
    read.into()
}

/// Reads a map in which arrays and maps are left out: they are `()`.
struct Outer;

impl<'de> Visitor<'de> for Outer {
    type Value = Map;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Map, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            map.insert(name.into(), fields.next_value_seed(Field)?);
        }
        Ok(map)
    }
}

/// Reads one field of [`Outer`].
struct Field;

impl<'de> DeserializeSeed<'de> for Field {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Dynamic, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field {
    type Value = Dynamic;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Dynamic, E> {
        Ok(INT::try_from(number).map_or(Dynamic::UNIT, Into::into))
    }

    fn visit_str<E>(self, text: &str) -> Result<Dynamic, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Dynamic::UNIT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Dynamic, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Dynamic::UNIT)
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, read_negative_zeros};
    use crate::page::Item;

    #[test]
    fn negative_zeros_are_read_outside_of_strings() {
        for (stored, read) in [
            (r#"{"a": 0.00}"#, r#"{"a": -0.0}"#),
            (r#"[0.00, 0.00,0.00]"#, r#"[-0.0, -0.0,-0.0]"#),
            (r#"{"0.00": "0.00", "b": ["\"0.00", 0.00]}"#, r#"{"0.00": "0.00", "b": ["\"0.00", -0.0]}"#),
            (
                r#"[10.00, 0.001, -0.00, 0.000, 0.00e1, "\\", 0.00]"#,
                r#"[10.00, 0.001, -0.00, 0.000, 0.00e1, "\\", -0.0]"#,
            ),
            ("0.00", "-0.0"),
            ("0.0", "0.0"),
        ] {
            assert_eq!(read_negative_zeros(stored), read);
        }
    }

    #[test]
    fn a_stub_has_every_field_but_what_a_script_filled() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let text = format!(r#"{{"id":"x","size":3,"data":{{"a":{deep},"b":1.5}},"at":"y","none":null}}"#);
        let stub = Envelope(&text).stub().unwrap();
        assert_eq!(format!("{stub:?}"), r#"{"at": "y", "data": (), "id": "x", "none": (), "size": 3}"#);
        assert!(Envelope(&text).size(&crate::testing::engine()).is_none());
    }
}

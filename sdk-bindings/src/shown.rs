//! Any value as JSON for people: the data of log lines, and values that a script throws.
//!
//! Nothing fails here. What JSON cannot represent becomes a string that describes it.

use std::borrow::Cow;
use std::fmt::Write as _;

use rhai::{Dynamic, FnPtr, ImmutableString, Map};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::blob::Blob;
use crate::error::type_name;
use crate::files::File;
use crate::json::Bounded;
use crate::limits::MAX_NESTING_LEVELS;

/// Bytes of a blob that are shown.
const HEAD: usize = 32;

/// `value` as compact JSON. A text of more than `limit` bytes becomes a JSON string of its beginning.
pub fn shown(value: &Dynamic, limit: usize) -> String {
    let mut text = Bounded::new(limit);
    let written = Shown { value, depth: 0 }.serialize(&mut serde_json::Serializer::new(&mut text));
    match (written, text.into_text()) {
        (Ok(()), text) => text,
        // Only the limit stops it.
        (Err(_), text) => serde_json::Value::String(text + "…").to_string(),
    }
}

/// Calls `read` with a value as the text of a message of about `limit` bytes: a string as it is, an array or a map as
/// JSON, `()` as nothing.
pub fn with_text<T>(value: &Dynamic, limit: usize, read: impl FnOnce(&str) -> T) -> T {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return read(&cut(&text, limit));
    }
    match value {
        value if value.is_unit() => read(""),
        value if value.is_int() || value.is_float() || value.is_bool() || value.is_char() => {
            read(&value.to_string())
        }
        value if value.is_array() || value.is_map() || value.is_locked() => read(&shown(value, limit)),
        value => read(&described(value)),
    }
}

/// The first `limit` bytes of a text, with a sign that it goes on; a shorter text unchanged.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    match text.len() <= limit {
        true => text.into(),
        false => {
            let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
            format!("{}…", &text[..end]).into()
        }
    }
}

/// A blob as its length and its first bytes.
pub fn blob(bytes: &[u8]) -> String {
    let mut text = format!("blob of {} bytes", bytes.len());
    for (index, byte) in bytes.iter().take(HEAD).enumerate() {
        let _ = write!(text, "{}{byte:02x}", if index == 0 { ": " } else { " " });
    }
    if bytes.len() > HEAD {
        text.push_str(" …");
    }
    text
}

/// A value and its nesting level.
struct Shown<'a> {
    value: &'a Dynamic,
    depth: usize,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, depth } = *self;
        let inner = |value| Shown { value, depth: depth + 1 };
        if value.is_locked() {
            return serializer.serialize_str("a value in use");
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            serializer.serialize_str(&text)
        } else if let Ok(number) = value.as_int() {
            serializer.serialize_i64(number)
        } else if let Some(map) = value.read_lock::<Map>() {
            if depth == MAX_NESTING_LEVELS {
                return serializer.serialize_str("a map, nested too deep");
            }
            let mut entries = serializer.serialize_map(Some(map.len()))?;
            for (key, value) in map.iter() {
                entries.serialize_entry(key.as_str(), &inner(value))?;
            }
            entries.end()
        } else if let Ok(array) = value.as_array_ref() {
            if depth == MAX_NESTING_LEVELS {
                return serializer.serialize_str("an array, nested too deep");
            }
            let mut items = serializer.serialize_seq(Some(array.len()))?;
            for value in array.iter() {
                items.serialize_element(&inner(value))?;
            }
            items.end()
        } else if value.is_unit() {
            serializer.serialize_unit()
        } else if let Ok(truth) = value.as_bool() {
            serializer.serialize_bool(truth)
        } else if let Ok(number) = value.as_float() {
            match number {
                number if number.is_finite() => serializer.serialize_f64(number),
                number if number.is_nan() => serializer.serialize_str("NaN"),
                number => serializer.serialize_str(if number > 0.0 { "Infinity" } else { "-Infinity" }),
            }
        } else if let Ok(letter) = value.as_char() {
            serializer.serialize_char(letter)
        } else {
            serializer.serialize_str(&described(value))
        }
    }
}

/// A value that is not data.
fn described(value: &Dynamic) -> String {
    // The body of a request that the host still has is not fetched to be shown.
    if Blob::is_late(value)
        && let Some(body) = value.read_lock::<Blob>()
    {
        return body.to_string();
    }
    if let Some(text) = Blob::with_bytes(value, blob) {
        return text;
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return match function.is_anonymous() {
            true => "a closure".into(),
            false => format!("Fn({})", function.fn_name()),
        };
    }
    if let Some(file) = value.read_lock::<File>() {
        return format!("file {} of {}", file.id, file.collection);
    }
    match (value.to_string(), value.type_name()) {
        // Rhai shows a type that it does not know, such as a handle, by its name in Rust.
        (text, name) if text == name => type_name(name),
        (text, _) => text,
    }
}

#[cfg(test)]
mod tests {
    use rhai::Dynamic;

    use super::{cut, shown};
    use crate::testing::eval;

    #[test]
    fn every_value_is_shown() {
        for (script, expected) in [
            ("()", "null"),
            ("true", "true"),
            ("-5", "-5"),
            ("1.5", "1.5"),
            ("-0.0", "-0.0"),
            ("0.0 / 0.0", r#""NaN""#),
            ("1.0 / 0.0", r#""Infinity""#),
            ("-1.0 / 0.0", r#""-Infinity""#),
            ("'c'", r#""c""#),
            (r#""a\x00\"b""#, r#""a\u0000\"b""#),
            ("#{ b: [1, ()], a: #{} }", r#"{"a":{},"b":[1,null]}"#),
            ("blob()", r#""blob of 0 bytes""#),
            ("blob(2, 255)", r#""blob of 2 bytes: ff ff""#),
            (
                "blob(33, 1)",
                r#""blob of 33 bytes: 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 …""#,
            ),
            ("|x| x", r#""a closure""#),
            ("Fn(\"mine\")", r#""Fn(mine)""#),
            ("0..5", r#""0..5""#),
            ("1..=5", r#""1..=5""#),
            ("kv::collection(\"c\")", r#""kv::collection""#),
            ("let a = [1]; let f = || a; a", "[1]"),
        ] {
            assert_eq!(shown(&eval::<Dynamic>(script), 1000), expected, "{script}");
        }
    }

    #[test]
    fn a_long_value_is_cut_into_a_string() {
        let list = eval::<Dynamic>("[\"äää\", 1]");
        assert_eq!(shown(&list, 12), r#"["äää",1]"#);
        assert_eq!(shown(&list, 11), r#""[\"äää\",1…""#);
        assert_eq!(shown(&list, 5), r#""[\"ä…""#);
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("ääh", 3), "ä…");
    }

    #[test]
    fn a_deep_value_and_one_that_holds_itself_end() {
        let deep = shown(&eval::<Dynamic>("let a = []; for i in 0..1000 { a = [a]; } a"), 10_000);
        assert!(deep.contains("an array, nested too deep"), "{deep}");
        let knot = "let a = [1]; let f = || a; a = [f, a]; let seen = a; a.push(|| seen); #{ list: a }";
        assert_eq!(shown(&eval(knot), 1000), r#"{"list":["a closure",[1],"a closure"]}"#);
    }
}

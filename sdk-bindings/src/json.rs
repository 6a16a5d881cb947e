//! `json::` converts between JSON and Rhai values, without a tree in between.
//!
//! Also used for the bodies of requests and responses.

use std::fmt;
use std::io;

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use crate::args;
use crate::error::{Thrown, fail, type_name};
use crate::limits::MAX_NESTING_LEVELS;
use crate::sizes;
use crate::wire::WireError;

mod reader;

pub use reader::parse;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("parse", |context: NativeCallContext, text: &mut Dynamic| {
        let function = "json::parse";
        let value = args::bytes(function, "text", text, parse)?.map_err(|message| fail(function, message))?;
        sizes::check_value(&context, function, value)
    });
    module.set_native_fn("stringify", |context: NativeCallContext, value: &mut Dynamic| {
        stringify(&context, "json::stringify", value, CompactFormatter)
    });
    module.set_native_fn("stringify_pretty", |context: NativeCallContext, value: &mut Dynamic| {
        stringify(&context, "json::stringify_pretty", value, PrettyFormatter::new())
    });
    engine.register_static_module("json", module.into());
}

fn stringify(
    context: &NativeCallContext,
    function: &str,
    value: &Dynamic,
    formatter: impl Formatter,
) -> Result<String, Thrown> {
    let limit = match context.engine().max_string_size() {
        0 => usize::MAX,
        limit => limit,
    };
    write(&Node { value, depth: 0 }, limit, formatter).map_err(|error| match error {
        // One byte too many is as good as any: the message names the limit.
        JsonError::TooLong => sizes::check_string(context, function, limit + 1).unwrap_err(),
        JsonError::Unfit(message) => fail(function, message),
    })
}

/// Why a value cannot be written as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonError {
    /// The text would exceed the limit.
    TooLong,
    /// It contains something that JSON cannot represent; the message says what.
    Unfit(String),
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => formatter.write_str("the JSON text is too long"),
            Self::Unfit(message) => formatter.write_str(message),
        }
    }
}

/// Renders `value` as compact JSON of at most `limit` bytes.
pub fn render(value: &Dynamic, limit: usize) -> Result<String, JsonError> {
    write(&Node { value, depth: 0 }, limit, CompactFormatter)
}

/// Renders `map` as compact JSON of at most `limit` bytes.
pub fn render_map(map: &Map, limit: usize) -> Result<String, JsonError> {
    write(&Object { map, depth: 0 }, limit, CompactFormatter)
}

/// Renders `map` as JSON of at most `limit` bytes, one nesting level down.
pub(crate) fn render_inner(map: &Map, limit: usize, formatter: impl Formatter) -> Result<String, JsonError> {
    write(&Object { map, depth: 1 }, limit, formatter)
}

fn write(value: &impl Serialize, limit: usize, formatter: impl Formatter) -> Result<String, JsonError> {
    let mut text = Bounded::new(limit);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match value.serialize(&mut serializer) {
        Ok(()) => Ok(text.into_text()),
        Err(error) if error.io_error_kind() == Some(FULL) => Err(JsonError::TooLong),
        Err(error) => Err(JsonError::Unfit(error.to_string())),
    }
}

/// The error kind of a full [`Bounded`].
const FULL: io::ErrorKind = io::ErrorKind::FileTooLarge;

/// A buffer with a maximum length, for JSON text.
pub(crate) struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Bounded {
    /// An empty buffer for at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Vec::with_capacity(128), limit }
    }

    /// What was written, up to the last whole character.
    pub(crate) fn into_text(self) -> String {
        String::from_utf8(self.bytes).unwrap_or_else(|error| {
            let end = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(end);
            String::from_utf8(bytes).unwrap_or_default()
        })
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room { Err(FULL.into()) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value and its nesting level.
struct Node<'a> {
    value: &'a Dynamic,
    depth: usize,
}

/// A map and its nesting level.
struct Object<'a> {
    map: &'a Map,
    depth: usize,
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, depth } = *self;
        if depth > MAX_NESTING_LEVELS {
            return Err(S::Error::custom(WireError::TooDeep));
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            serializer.serialize_str(&text)
        } else if let Ok(number) = value.as_int() {
            serializer.serialize_i64(number)
        } else if let Ok(map) = value.as_map_ref() {
            Object { map: &map, depth }.serialize(serializer)
        } else if let Ok(array) = value.as_array_ref() {
            let mut items = serializer.serialize_seq(Some(array.len()))?;
            for value in array.iter() {
                items.serialize_element(&Node { value, depth: depth + 1 })?;
            }
            items.end()
        } else if value.is_unit() {
            serializer.serialize_unit()
        } else if let Ok(truth) = value.as_bool() {
            serializer.serialize_bool(truth)
        } else if let Ok(number) = value.as_float() {
            if !number.is_finite() {
                return Err(S::Error::custom(format_args!("{number} cannot be written as JSON")));
            }
            serializer.serialize_f64(number)
        } else if let Ok(letter) = value.as_char() {
            serializer.serialize_char(letter)
        } else {
            let kind = type_name(value.type_name());
            Err(S::Error::custom(format_args!("a value of type {kind} cannot be written as JSON")))
        }
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = serializer.serialize_map(Some(self.map.len()))?;
        for (key, value) in self.map {
            entries.serialize_entry(key.as_str(), &Node { value, depth: self.depth + 1 })?;
        }
        entries.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::Dynamic;

    use super::{JsonError, parse, render};
    use crate::error::{mismatch, result_too_large};
    use crate::limits::MAX_NESTING_LEVELS;
    use crate::testing::{eval, eval_with, message, thrown, values};

    #[test]
    fn invalid_json_throws_with_the_position() {
        for (text, message) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{\"a\": 1,\n}", "trailing comma at line 2 column 1"),
            ("[1] 2", "trailing characters at line 1 column 5"),
            ("NaN", "expected value at line 1 column 1"),
            ("01", "invalid number at line 1 column 2"),
            ("\"\\ud800\"", "unexpected end of hex escape at line 1 column 8"),
            ("\"\\udc00\"", "lone leading surrogate in hex escape at line 1 column 7"),
            (
                "\"\u{1}\"",
                "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 2",
            ),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|_| ()), Err(message.into()), "{text}");
        }
        assert!(parse(b"\"\xff\"").unwrap_err().contains("utf-8"));
        assert!(parse("\u{feff}\u{feff}1".as_bytes()).is_err());
        assert_eq!(parse("\u{feff}1".as_bytes()).unwrap().as_int(), Ok(1));
        assert_eq!(thrown("json::parse(`[1,`)"), "json::parse: EOF while parsing a value at line 1 column 3");
        assert_eq!(
            thrown("json::parse(1)"),
            message(mismatch("json::parse", "text", "a string or a blob", "i64"))
        );
    }

    #[test]
    fn large_integers_become_floats_and_larger_ones_fail() {
        assert!(eval::<bool>("json::parse(`9223372036854775807`) == 9223372036854775807"));
        assert!(eval::<bool>("json::parse(`9223372036854775808`) == 9223372036854775808.0"));
        assert!(eval::<bool>("json::parse(`-9223372036854775809`) == -9223372036854775808.0"));
        assert_eq!(parse("1".repeat(300).as_bytes()).unwrap().type_name(), "f64");
        assert_eq!(
            parse("1".repeat(5000).as_bytes()).unwrap_err(),
            "number out of range at line 1 column 5000"
        );
    }

    #[test]
    fn a_value_over_the_limits_throws_catchably() {
        assert_eq!(
            thrown("let s = \"\"; s.pad(20000, \"1,\"); json::parse(`[${s}1]`)"),
            message(result_too_large("json::parse", 10000, "elements", "max_array_size"))
        );
    }

    #[test]
    fn of_equal_keys_the_last_one_counts() {
        assert_eq!(eval::<i64>(r#"json::parse(`{"a": 1, "a": 2}`).a"#), 2);
    }

    #[test]
    fn nesting_ends_at_the_same_depth_both_ways() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let deepest = parse(nested(MAX_NESTING_LEVELS).as_bytes()).unwrap();
        assert_eq!(render(&deepest, usize::MAX), Ok(nested(MAX_NESTING_LEVELS)));
        assert!(
            parse(nested(MAX_NESTING_LEVELS + 1).as_bytes())
                .unwrap_err()
                .starts_with("nested deeper than 128 levels")
        );
        assert!(
            parse("[".repeat(1_000_000).as_bytes()).unwrap_err().starts_with("nested deeper than 128 levels")
        );
        let deeper = Dynamic::from_array(vec![Dynamic::from_array(vec![deepest])]);
        assert_eq!(
            render(&deeper, usize::MAX),
            Err(JsonError::Unfit("nested deeper than 128 levels".into()))
        );
    }

    #[test]
    fn values_that_json_cannot_represent_throw() {
        for (value, message) in [
            ("0.0/0.0", "NaN cannot be written as JSON"),
            ("#{ a: [-1.0/0.0] }", "-inf cannot be written as JSON"),
            ("blob(1)", "a value of type blob cannot be written as JSON"),
            ("|| 1", "a value of type function cannot be written as JSON"),
            ("kv::collection(\"c\")", "a value of type kv::collection cannot be written as JSON"),
        ] {
            assert_eq!(thrown(&format!("json::stringify({value})")), format!("json::stringify: {message}"));
        }
    }

    #[test]
    fn text_stops_at_its_limit() {
        assert_eq!(render(&"abc".into(), 5), Ok("\"abc\"".into()));
        assert_eq!(render(&"abc".into(), 4), Err(JsonError::TooLong));
        assert_eq!(
            thrown("let s = \"\"; s.pad(262144, '\\n'); json::stringify(s)"),
            message(result_too_large("json::stringify", 262144, "bytes", "max_string_size"))
        );
    }

    #[test]
    fn constants_and_shared_values_are_written() {
        assert_eq!(eval::<String>("const X = #{ a: 1 }; json::stringify(X)"), r#"{"a":1}"#);
        assert_eq!(eval::<String>("let x = #{ a: 1 }; let f = || x.a; json::stringify(x)"), r#"{"a":1}"#);
        assert_eq!(eval::<String>("let x = #{ a: 1 }; let f = || x.a; json::stringify([x])"), r#"[{"a":1}]"#);
    }

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(
            eval::<String>(r#"json::stringify(['"', "\x00\x1f\n", "ü"])"#),
            r#"["\"","\u0000\u001f\n","ü"]"#
        );
    }

    proptest! {
        #[test]
        fn parsing_undoes_writing(value in values()) {
            let text = render(&value, usize::MAX).unwrap();
            prop_assert_eq!(format!("{:?}", parse(text.as_bytes()).unwrap()), format!("{value:?}"));
            let script = "json::stringify(json::parse(json::stringify_pretty(x))) == json::stringify(x)";
            prop_assert!(eval_with::<bool>(script, value));
        }

        #[test]
        fn no_text_makes_parsing_panic(text in "[\\[\\]{}:,\"\\\\ue0-9.+\\- a-f]{0,64}") {
            let _ = parse(text.as_bytes());
        }
    }
}

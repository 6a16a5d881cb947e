//! JSON as the database stores it: writing values so that they come back unchanged, and reading them.

use std::io;

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::error::{Thrown, fail, invalid_reply, type_name};
use crate::host::Reply;
use crate::json::{self, JsonError};
use crate::limits::MAX_NESTING_LEVELS;
use crate::sizes;
use crate::wire::{Reader, WireError};

/// Renders `map` as JSON of at most `limit` bytes, one level below the envelope it is stored in.
///
/// Errors name the path of the invalid value, which begins with `param`.
pub fn render(function: &str, param: &str, map: &Map, limit: usize) -> Result<String, Thrown> {
    json::render_inner(map, limit, JsonbFormatter).map_err(|error| match error {
        JsonError::TooLong => fail(function, format_args!("{param} must have at most {limit} bytes as JSON")),
        JsonError::Unfit(message) => check(function, param, map)
            .err()
            .unwrap_or_else(|| fail(function, format_args!("{param}: {message}"))),
    })
}

/// Refuses a map with a value that JSON cannot represent or PostgreSQL cannot store (NUL characters).
pub fn check(function: &str, param: &str, map: &Map) -> Result<(), Thrown> {
    match find_invalid_in_map(map, param, 1) {
        Some(message) => Err(fail(function, message)),
        None => Ok(()),
    }
}

/// The error message for the first invalid value below `path`, if any. `depth` is the nesting level of `map`.
fn find_invalid_in_map(map: &Map, path: &str, depth: usize) -> Option<String> {
    map.iter().find_map(|(key, value)| {
        if key.contains('\0') {
            return Some(format!("a key of {path} contains a NUL character, which cannot be stored"));
        }
        let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        find_invalid(value, depth + 1, &|| {
            if plain { format!("{path}.{key}") } else { format!("{path}[{key:?}]") }
        })
    })
}

fn find_invalid(value: &Dynamic, depth: usize, path: &dyn Fn() -> String) -> Option<String> {
    if depth > MAX_NESTING_LEVELS {
        return Some(format!("{} is nested deeper than {MAX_NESTING_LEVELS} levels", path()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return text
            .contains('\0')
            .then(|| format!("{} contains a NUL character, which cannot be stored", path()));
    }
    if let Ok(number) = value.as_float() {
        return (!number.is_finite()).then(|| format!("{} is {number}, which is not JSON", path()));
    }
    if let Some(map) = value.read_lock::<Map>() {
        return find_invalid_in_map(&map, &path(), depth);
    }
    if let Some(array) = value.read_lock::<Array>() {
        let whole = path();
        return array
            .iter()
            .enumerate()
            .find_map(|(index, item)| find_invalid(item, depth + 1, &|| format!("{whole}[{index}]")));
    }
    if value.as_char() == Ok('\0') {
        return Some(format!("{} is a NUL character, which cannot be stored", path()));
    }
    let is_json = value.is_unit() || value.is_bool() || value.is_int() || value.is_char();
    let kind = || type_name(value.type_name());
    (!is_json).then(|| format!("{} is of type {}, which is not JSON", path(), kind()))
}

/// Writes JSON that PostgreSQL's jsonb returns with the same types.
struct JsonbFormatter;

impl Formatter for JsonbFormatter {
    /// jsonb drops the exponent, and returns a number without a decimal point as an integer.
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value.abs() >= 1e16 {
            return write!(writer, "{value:.1}");
        }
        CompactFormatter.write_f64(writer, value)
    }

    /// PostgreSQL cannot store NUL in text.
    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(0) => Err(io::ErrorKind::InvalidData.into()),
            escape => CompactFormatter.write_char_escape(writer, escape),
        }
    }
}

/// Parses JSON from the host: the envelope of a document, or the entry of a file.
pub fn parse(context: &NativeCallContext, function: &str, json: &str) -> Result<Dynamic, Thrown> {
    let value = json::parse(json.as_bytes()).map_err(|error| invalid_reply(function, error))?;
    sizes::check_value(context, function, value)
}

/// Parses a `string?` reply; nil is `()`.
pub fn parse_optional(context: &NativeCallContext, function: &str, reply: &Reply) -> Result<Dynamic, Thrown> {
    reply.optional_string()?.map_or(Ok(Dynamic::UNIT), |json| parse(context, function, json))
}

/// Parses a list of JSON strings.
pub fn parse_list(context: &NativeCallContext, function: &str, reply: &Reply) -> Result<Dynamic, Thrown> {
    sizes::check_value(context, function, reply.read(listed)?.into())
}

/// Parses a page: a list of JSON strings and `next_cursor`.
pub fn parse_page(context: &NativeCallContext, function: &str, reply: &Reply) -> Result<Dynamic, Thrown> {
    let page = reply.read(|reader| {
        let mut page = Map::new();
        for _ in 0..reader.map()? {
            let name = reader.string()?;
            let value = match name {
                "next_cursor" => reader.optional_string()?.map_or(Dynamic::UNIT, Into::into),
                _ => listed(reader)?.into(),
            };
            page.insert(name.into(), value);
        }
        Ok(page)
    })?;
    sizes::check_value(context, function, page.into())
}

fn listed(reader: &mut Reader<'_>) -> Result<Array, WireError> {
    let count = reader.array()?;
    (0..count).map(|_| json::parse(reader.string()?.as_bytes()).map_err(|_| WireError::NotText)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::{Dynamic, Map};

    use super::{check, render};
    use crate::json;
    use crate::testing::{eval, values};

    fn refused(map: &str) -> String {
        let map: Map = eval(map);
        let rendered = render("f", "data", &map, 10_000).unwrap_err().to_string();
        assert_eq!(check("f", "data", &map).unwrap_err().to_string(), rendered);
        rendered.trim_start_matches("Runtime error: f: ").to_owned()
    }

    #[test]
    fn values_that_cannot_be_stored_throw_with_their_path() {
        assert_eq!(refused("#{ a: #{ b: [1, blob(2)] } }"), "data.a.b[1] is of type blob, which is not JSON");
        assert_eq!(refused("#{ \"a b\": 0.0 / 0.0 }"), "data[\"a b\"] is NaN, which is not JSON");
        assert_eq!(refused("#{ a: -1.0 / 0.0 }"), "data.a is -inf, which is not JSON");
        assert_eq!(refused("#{ f: || 1 }"), "data.f is of type function, which is not JSON");
        assert_eq!(
            refused("#{ c: kv::collection(\"c\") }"),
            "data.c is of type kv::collection, which is not JSON"
        );
        assert_eq!(
            refused("#{ a: [\"x\\x00\"] }"),
            "data.a[0] contains a NUL character, which cannot be stored"
        );
        assert_eq!(refused("#{ a: '\\x00' }"), "data.a is a NUL character, which cannot be stored");
        assert_eq!(
            refused("#{ a: #{ \"x\\x00\": 1 } }"),
            "a key of data.a contains a NUL character, which cannot be stored"
        );
    }

    #[test]
    fn a_document_ends_at_its_size_and_depth() {
        let of = |text: &str| Map::from([("a".into(), Dynamic::from(text.to_owned()))]);
        assert_eq!(render("f", "data", &of("abc"), 11).unwrap(), r#"{"a":"abc"}"#);
        let error = render("f", "data", &of("abcd"), 11).unwrap_err().to_string();
        assert!(error.ends_with("f: data must have at most 11 bytes as JSON"), "{error}");
        let mut value = Dynamic::UNIT;
        for _ in 0..126 {
            value = Dynamic::from_array(vec![value]);
        }
        let text = render("f", "data", &Map::from([("a".into(), value.clone())]), 10_000).unwrap();
        // As it comes back, inside of its envelope.
        assert!(json::parse(format!("{{\"data\":{text}}}").as_bytes()).is_ok());
        let deeper = Dynamic::from_array(vec![value]);
        let error = render("f", "data", &Map::from([("a".into(), deeper)]), 10_000).unwrap_err();
        assert!(error.to_string().ends_with(" is nested deeper than 128 levels"), "{error}");
    }

    /// What jsonb makes of a number: no exponent, and the digits behind the point as they were written.
    fn as_jsonb(text: &str) -> String {
        let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return text.into() };
        let exponent: i32 = exponent.parse().unwrap();
        assert!(exponent < 0, "{text} would lose its point");
        let places =
            digits.split_once('.').map_or(0, |(_, places)| places.len()) + exponent.unsigned_abs() as usize;
        format!("{:.places$}", text.parse::<f64>().unwrap())
    }

    proptest! {
        #[test]
        fn a_float_stays_the_float_it_was(number in prop_oneof![prop::num::f64::NORMAL, -1e19..1e19, Just(1.0), Just(1e16), Just(5e-324)]) {
            let map = Map::from([("n".into(), Dynamic::from(number))]);
            let text = render("f", "data", &map, 10_000).unwrap();
            let kept = as_jsonb(&text[5..text.len() - 1]);
            let back = json::parse(kept.as_bytes()).unwrap();
            prop_assert_eq!(back.as_float(), Ok(number), "{}", kept);
        }

        #[test]
        fn values_come_back_as_they_were(value in values()) {
            let map = Map::from([("a".into(), value)]);
            match render("f", "data", &map, 1_000_000) {
                Ok(text) => {
                    let back = json::parse(text.as_bytes()).unwrap();
                    prop_assert_eq!(format!("{:?}", back), format!("{:?}", Dynamic::from(map)));
                }
                Err(error) => prop_assert!(error.to_string().contains("NUL"), "{}", error),
            }
        }
    }
}

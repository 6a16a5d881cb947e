//! JSON as the database stores it: writing values so that they come back unchanged, and reading them.

use std::io;

use rhai::{Array, Dynamic, Map, NativeCallContext};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::data_size::DataSize;
use crate::envelope::{Envelope, NEGATIVE_ZERO};
use crate::error::{Thrown, fail, invalid_reply, type_name};
use crate::host::Reply;
use crate::json::{self, JsonError};
use crate::limits::MAX_NESTING_LEVELS;
use crate::page::{self, Item};

/// The type of the column that JSON is stored in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// It keeps the text.
    Json,
    /// It keeps the values, but not how numbers were written.
    Jsonb,
}

/// Renders `map` as JSON of at most `limit` bytes, one level below the envelope it is stored in.
///
/// Errors name the path of the invalid value, which begins with `param`.
pub fn render(
    function: &str,
    param: &str,
    map: &Map,
    limit: usize,
    column: Column,
) -> Result<String, Thrown> {
    json::render_inner(map, limit, StoredFormatter(column)).map_err(|error| match error {
        JsonError::TooLong => fail(function, format_args!("{param} must have at most {limit} bytes as JSON")),
        JsonError::Unfit(message) => check(function, param, map)
            .err()
            .unwrap_or_else(|| fail(function, format_args!("{param}: {message}"))),
    })
}

/// Refuses JSON that could not be read back under the limits of this script. `around` is what its envelope adds, and a
/// page of one.
pub fn check_size(
    context: &NativeCallContext,
    function: &str,
    param: &str,
    json: &str,
    around: DataSize,
) -> Result<(), Thrown> {
    let engine = context.engine();
    if page::with_one(around + DataSize::bound_of_json(json.len()), 0).fits(engine) {
        return Ok(());
    }
    let size = DataSize::of_json(json).map_err(|error| fail(function, format_args!("{param}: {error}")))?;
    match page::with_one(around + size, 0).excess(engine) {
        Some(excess) => Err(excess.of_write(function, param)),
        None => Ok(()),
    }
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

/// Writes JSON that comes back from its column with the same values.
struct StoredFormatter(Column);

impl Formatter for StoredFormatter {
    /// jsonb drops the exponent, and returns a number without a decimal point as an integer. It has no -0.0.
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        match self.0 {
            Column::Jsonb if value.abs() >= 1e16 => write!(writer, "{value:.1}"),
            Column::Jsonb if value == 0.0 && value.is_sign_negative() => {
                writer.write_all(NEGATIVE_ZERO.as_bytes())
            }
            _ => CompactFormatter.write_f64(writer, value),
        }
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
    let (engine, envelope) = (context.engine(), Envelope(json));
    if !envelope.bound().fits(engine) {
        let size = DataSize::of_json(json).map_err(|error| invalid_reply(function, error))?;
        if let Some(excess) = size.excess(engine) {
            return Err(excess.of_result(function));
        }
    }
    envelope.build().map_err(|error| invalid_reply(function, error))
}

/// Parses a `string?` reply; nil is `()`.
pub fn parse_optional(context: &NativeCallContext, function: &str, reply: &Reply) -> Result<Dynamic, Thrown> {
    reply.optional_string()?.map_or(Ok(Dynamic::UNIT), |json| parse(context, function, json))
}

/// Parses what a search found: `{docs: [JSON], more}`. The last document of those that fit has `more` when not all are
/// there.
pub fn parse_found(context: &NativeCallContext, function: &str, reply: &Reply) -> Result<Dynamic, Thrown> {
    let (mut found, mut more) = (Vec::new(), false);
    reply.read(|reader| {
        for _ in 0..reader.map()? {
            match reader.string()? {
                "more" => more = reader.bool()?,
                _ => {
                    for _ in 0..reader.array()? {
                        found.push(Envelope(reader.string()?));
                    }
                }
            }
        }
        Ok(())
    })?;
    let mut built = page::fitting(context, function, &found, |_| 0)?;
    let cut = more || built.len() < found.len();
    if let Some(mut last) = built.last_mut().filter(|_| cut).and_then(|last| last.write_lock::<Map>()) {
        last.insert("more".into(), true.into());
    }
    Ok(built.into())
}

/// Parses a page: `{name: [[JSON, cursor]], more}`.
pub fn parse_page(context: &NativeCallContext, function: &str, reply: &Reply) -> Result<Dynamic, Thrown> {
    let (mut name, mut items, mut cursors, mut more) = ("", Vec::new(), Vec::new(), false);
    reply.read(|reader| {
        for _ in 0..reader.map()? {
            match reader.string()? {
                "more" => more = reader.bool()?,
                listed => {
                    name = listed;
                    for _ in 0..reader.array()? {
                        reader.array()?;
                        items.push(Envelope(reader.string()?));
                        cursors.push(reader.string()?);
                    }
                }
            }
        }
        Ok(())
    })?;
    page::page(context, function, name, &items, &cursors, more)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::{Dynamic, Map};

    use super::{Column, check, render};
    use crate::envelope::Envelope;
    use crate::json;
    use crate::page::Item;
    use crate::testing::{eval, values};

    fn refused(map: &str) -> String {
        let map: Map = eval(map);
        let rendered = render("f", "data", &map, 10_000, Column::Jsonb).unwrap_err().to_string();
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
        assert_eq!(render("f", "data", &of("abc"), 11, Column::Jsonb).unwrap(), r#"{"a":"abc"}"#);
        let error = render("f", "data", &of("abcd"), 11, Column::Jsonb).unwrap_err().to_string();
        assert!(error.ends_with("f: data must have at most 11 bytes as JSON"), "{error}");
        let mut value = Dynamic::UNIT;
        for _ in 0..126 {
            value = Dynamic::from_array(vec![value]);
        }
        let text =
            render("f", "data", &Map::from([("a".into(), value.clone())]), 10_000, Column::Jsonb).unwrap();
        // As it comes back, inside of its envelope.
        assert!(json::parse(format!("{{\"data\":{text}}}").as_bytes()).is_ok());
        let deeper = Dynamic::from_array(vec![value]);
        let error =
            render("f", "data", &Map::from([("a".into(), deeper)]), 10_000, Column::Jsonb).unwrap_err();
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
        fn a_float_stays_the_float_it_was(number in prop_oneof![prop::num::f64::NORMAL, -1e19..1e19, Just(1.0), Just(1e16), Just(5e-324), Just(0.0), Just(-0.0)]) {
            let map = Map::from([("n".into(), Dynamic::from(number))]);
            let text = render("f", "data", &map, 10_000, Column::Jsonb).unwrap();
            let kept = as_jsonb(&text[5..text.len() - 1]);
            let back = Envelope(&kept).build().unwrap().as_float().unwrap();
            prop_assert_eq!(back.to_bits(), number.to_bits(), "{}", kept);
        }

        #[test]
        fn values_come_back_as_they_were(value in values()) {
            let map = Map::from([("a".into(), value)]);
            match render("f", "data", &map, 1_000_000, Column::Jsonb) {
                Ok(text) => {
                    let back = Envelope(&text).build().unwrap();
                    prop_assert_eq!(format!("{:?}", back), format!("{:?}", Dynamic::from(map)));
                }
                Err(error) => prop_assert!(error.to_string().contains("NUL"), "{}", error),
            }
        }
    }
}

//! `url::` percent-encoding and query strings.

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};

use crate::args;
use crate::body::without_bom;
use crate::error::{Thrown, fail, mismatch};
use crate::sizes;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("encode", |context: NativeCallContext, text: &mut Dynamic| {
        args::bytes("url::encode", "text", text, |bytes| {
            let mut encoded = String::with_capacity(bytes.len() + bytes.len() / 2);
            encode(&mut encoded, bytes);
            sizes::check_string(&context, "url::encode", encoded.len())?;
            Ok(encoded)
        })?
    });
    module.set_native_fn("decode", |text: Dynamic| {
        let text = args::string("url::decode", "text", text)?;
        decode("url::decode", &text, 0)
    });
    module.set_native_fn("encode_query", |context: NativeCallContext, params: &mut Dynamic| {
        args::map("url::encode_query", "params", params, |map| query(&context, "url::encode_query", "", map))?
    });
    module.set_native_fn("decode_query", |context: NativeCallContext, text: Dynamic| {
        let text = args::string("url::decode_query", "text", text)?;
        decode_query(&context, "url::decode_query", &text)
    });
    engine.register_static_module("url", module.into());
}

/// Appends `bytes`, with all but the unreserved ones (RFC 3986, section 2.3) as `%XX`.
///
/// Not the crate `percent-encoding`, which is slower for text with many escapes.
fn encode(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte.into());
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)].into());
            out.push(DIGITS[usize::from(byte & 15)].into());
        }
    }
}

/// Decodes the part of a text that starts at byte `start`; errors name the byte.
///
/// Not the crate `percent-encoding`: it keeps malformed escapes, so that finding them takes a second pass.
fn decode(function: &str, part: &str, start: usize) -> Result<String, Thrown> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let (Some(high), Some(low)) = (digit(tail.first()), digit(tail.get(1))) else {
            return Err(invalid_escape(function, start + part.len() - rest.len()));
        };
        bytes.push((high << 4 | low) as u8);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid_utf8(function, start))
}

fn invalid_escape(function: &str, at: usize) -> Thrown {
    let rule = "'%' must be followed by two hexadecimal digits";
    fail(function, format_args!("invalid percent-encoding at byte {at}: {rule}"))
}

fn invalid_utf8(function: &str, at: usize) -> Thrown {
    fail(function, format_args!("invalid UTF-8 in the part that starts at byte {at}"))
}

/// Parses a query string or the body of a form. The last value of a repeated name counts.
///
/// Not `form_urlencoded::parse`: that replaces invalid UTF-8 and keeps malformed escapes, which throw here.
fn decode_query(context: &NativeCallContext, function: &str, text: &str) -> Result<Map, Thrown> {
    let mut params = Map::new();
    let fields = without_bom(text);
    let mut start = text.len() - fields.len();
    for field in fields.replace('+', " ").split('&') {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        if !field.is_empty() {
            let value = decode(function, value, start + name.len() + 1)?;
            params.insert(decode(function, name, start)?.into(), value.into());
            // Here, so that many fields stop at the limit.
            sizes::check_map(context, function, params.len())?;
        }
        start += field.len() + 1;
    }
    Ok(params)
}

/// Builds a query string; errors name the key with `place` in front.
///
/// Not `form_urlencoded::Serializer`: that writes a space as `+`, and escapes `~` but not `*`.
pub fn query(
    context: &NativeCallContext,
    function: &str,
    place: &str,
    params: &Map,
) -> Result<String, Thrown> {
    let mut query = String::new();
    let mut append = |key: &str, value: &Dynamic| {
        if !append(&mut query, key, value) {
            let expected = "a string, a number, a bool, or an array of those";
            return Err(mismatch(function, &format!("{place}{key}"), expected, value.type_name()));
        }
        // Here, so that many long arrays stop at the limit.
        sizes::check_string(context, function, query.len())
    };
    for (key, value) in params {
        if let Ok(items) = value.as_array_ref() {
            for item in items.iter() {
                append(key, item)?;
            }
        } else if !value.is_unit() {
            append(key, value)?;
        }
    }
    Ok(query)
}

/// Appends one parameter; false when its value is neither a string, a number nor a bool.
fn append(query: &mut String, key: &str, value: &Dynamic) -> bool {
    if !query.is_empty() {
        query.push('&');
    }
    encode(query, key.as_bytes());
    query.push('=');
    if let Ok(text) = value.as_immutable_string_ref() {
        encode(query, text.as_bytes());
    } else if value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        encode(query, value.to_string().as_bytes());
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::Map;

    use super::{invalid_escape, invalid_utf8};
    use crate::error::{mismatch, result_too_large};
    use crate::testing::{eval, eval_with, message, thrown};

    #[test]
    fn errors_have_their_messages() {
        assert_eq!(
            message(invalid_escape("f", 1)),
            "f: invalid percent-encoding at byte 1: '%' must be followed by two hexadecimal digits"
        );
        assert_eq!(message(invalid_utf8("f", 0)), "f: invalid UTF-8 in the part that starts at byte 0");
    }

    #[test]
    fn malformed_escapes_throw_with_their_position() {
        for (text, at) in [("a%zz", 1), ("a%2", 1), ("%", 0), ("%20%%20", 3), ("a%+1", 1), ("%2ü", 0)] {
            assert_eq!(
                thrown(&format!("url::decode(\"{text}\")")),
                message(invalid_escape("url::decode", at)),
                "{text}"
            );
        }
        assert_eq!(thrown(r#"url::decode("%ff")"#), message(invalid_utf8("url::decode", 0)));
        assert_eq!(thrown("url::decode(())"), message(mismatch("url::decode", "text", "a string", "()")));
    }

    #[test]
    fn a_query_escapes_keys_and_values() {
        assert_eq!(eval::<String>(r#"url::encode_query(#{ "a&b": "c=d" })"#), "a%26b=c%3Dd");
        assert_eq!(
            eval::<String>("url::encode_query(#{ a: true, b: 1.5, c: 'x', d: [] })"),
            "a=true&b=1.5&c=x"
        );
        assert_eq!(eval::<String>("url::encode_query(#{})"), "");
    }

    #[test]
    fn a_map_as_query_value_throws() {
        assert_eq!(
            thrown("url::encode_query(#{ filter: #{} })"),
            message(mismatch(
                "url::encode_query",
                "filter",
                "a string, a number, a bool, or an array of those",
                "map"
            ))
        );
    }

    #[test]
    fn queries_are_decoded() {
        for (text, map) in [
            ("", "#{}"),
            ("a=1&b=x+y%2Bz&c", r##"#{ a: "1", b: "x y+z", c: "" }"##),
            ("a=1&a=2&&a=3&", r##"#{ a: "3" }"##),
            ("=x&a=b=c&%26=%3D", r##"#{ "": "x", a: "b=c", "&": "=" }"##),
            ("?a=1;b=2", r##"#{ "?a": "1;b=2" }"##),
            ("%C3%BC=ü", r##"#{ "ü": "ü" }"##),
            ("\u{feff}a=\u{feff}1", "#{ a: \"\u{feff}1\" }"),
        ] {
            assert!(eval::<bool>(&format!("url::decode_query(`{text}`) == {map}")), "{text}");
        }
    }

    #[test]
    fn malformed_queries_throw_with_the_position() {
        let function = "url::decode_query";
        for (text, error) in [
            ("a=1&b=%zz", invalid_escape(function, 6)),
            ("a=1&%2=b", invalid_escape(function, 4)),
            ("a=%&b=2", invalid_escape(function, 2)),
            ("a+b=%C3&c=1", invalid_utf8(function, 4)),
            ("%", invalid_escape(function, 0)),
            ("\u{feff}%", invalid_escape(function, 3)),
        ] {
            assert_eq!(thrown(&format!("url::decode_query(\"{text}\")")), message(error), "{text}");
        }
        assert_eq!(
            thrown("url::decode_query(#{})"),
            message(mismatch("url::decode_query", "text", "a string", "map"))
        );
        assert_eq!(
            thrown(r#"let s = ""; for i in 0..10001 { s += `&${i}`; } url::decode_query(s)"#),
            message(result_too_large("url::decode_query", 10000, "entries", "max_map_size"))
        );
    }

    #[test]
    fn a_result_over_the_string_limit_is_refused() {
        assert_eq!(
            thrown(r#"let s = ""; s.pad(100000, "ü"); url::encode(s)"#),
            message(result_too_large("url::encode", 262144, "bytes", "max_string_size"))
        );
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text: String) {
            prop_assert!(eval_with::<bool>("url::decode(url::encode(x)) == x", text));
        }

        #[test]
        fn decoding_a_query_undoes_encoding_one(params in prop::collection::btree_map(any::<String>(), any::<String>(), 0..5)) {
            let map: Map = params.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            prop_assert!(eval_with::<bool>("url::decode_query(url::encode_query(x)) == x", map));
        }
    }
}

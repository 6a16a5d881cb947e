//! `url::` percent-encoding and query strings.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};
use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};

use crate::args;
use crate::error::{Thrown, fail, mismatch};
use crate::sizes;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("encode", |context: NativeCallContext, text: &mut Dynamic| {
        args::bytes("url::encode", "text", text, |bytes| {
            let encoded = percent_encode(bytes, RESERVED).to_string();
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

/// What is percent-encoded: all but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Undoes percent-encoding in a part of a text that begins at its byte `start`; errors name `function`, and the place.
fn decode(function: &str, part: &str, start: usize) -> Result<String, Thrown> {
    let is_escape = |at: usize| {
        part.as_bytes()[at + 1..].iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2
    };
    if let Some((at, _)) = part.match_indices('%').find(|&(at, _)| !is_escape(at)) {
        let at = start + at;
        let message = format_args!("invalid percent-encoding at byte {at}: '%' must be followed by two hexadecimal digits");
        return Err(fail(function, message));
    }
    match percent_decode_str(part).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(fail(function, format_args!("invalid UTF-8 in the part that starts at byte {start}"))),
    }
}

/// The names and values of a query string, or of the body of a form; of a repeated name the last value.
fn decode_query(context: &NativeCallContext, function: &str, text: &str) -> Result<Map, Thrown> {
    let mut params = Map::new();
    let mut start = 0;
    for field in text.replace('+', " ").split('&') {
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

/// A query string of a map; errors name `function`, and the key behind `place`.
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

/// Appends one parameter, unless its value has no form in a query.
fn append(query: &mut String, key: &str, value: &Dynamic) -> bool {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(key, RESERVED));
    query.push('=');
    if let Ok(text) = value.as_immutable_string_ref() {
        query.extend(utf8_percent_encode(&text, RESERVED));
    } else if value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        query.extend(utf8_percent_encode(&value.to_string(), RESERVED));
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::Map;

    use crate::testing::{eval, eval_with, thrown};

    #[test]
    fn malformed_escapes_are_refused_with_their_place() {
        assert_eq!(
            thrown(r#"url::decode("a%zz")"#),
            "url::decode: the '%' at byte 1 is not followed by two hexadecimal digits"
        );
        assert_eq!(
            thrown(r#"url::decode("a%2")"#),
            "url::decode: the '%' at byte 1 is not followed by two hexadecimal digits"
        );
        assert_eq!(thrown(r#"url::decode("%ff")"#), "url::decode: invalid UTF-8 in the part that starts at byte 0");
        assert_eq!(thrown("url::decode(())"), "url::decode: text must be a string, not ()");
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
    fn a_query_value_that_is_a_map_is_refused_by_name() {
        assert_eq!(
            thrown("url::encode_query(#{ filter: #{} })"),
            "url::encode_query: filter must be a string, a number, a bool, or an array of those, not map"
        );
    }

    #[test]
    fn a_query_is_read_as_that_of_a_request() {
        for (text, map) in [
            ("", "#{}"),
            ("a=1&b=x+y%2Bz&c", r##"#{ a: "1", b: "x y+z", c: "" }"##),
            ("a=1&a=2&&a=3&", r##"#{ a: "3" }"##),
            ("=x&a=b=c&%26=%3D", r##"#{ "": "x", a: "b=c", "&": "=" }"##),
            ("?a=1;b=2", r##"#{ "?a": "1;b=2" }"##),
            ("%C3%BC=ü", r##"#{ "ü": "ü" }"##),
        ] {
            assert!(eval::<bool>(&format!("url::decode_query(`{text}`) == {map}")), "{text}");
        }
    }

    #[test]
    fn a_query_that_is_broken_is_refused_with_its_place() {
        for (text, message) in [
            ("a=1&b=%zz", "the '%' at byte 6 is not followed by two hexadecimal digits"),
            ("a=1&%2=b", "the '%' at byte 4 is not followed by two hexadecimal digits"),
            ("a=%&b=2", "the '%' at byte 2 is not followed by two hexadecimal digits"),
            ("a+b=%C3&c=1", "invalid UTF-8 in the part that starts at byte 4"),
            ("%", "the '%' at byte 0 is not followed by two hexadecimal digits"),
        ] {
            let call = format!("url::decode_query(\"{text}\")");
            assert_eq!(thrown(&call), format!("url::decode_query: {message}"));
        }
        assert_eq!(thrown("url::decode_query(#{})"), "url::decode_query: text must be a string, not map");
        assert_eq!(
            thrown(r#"let s = ""; for i in 0..10001 { s += `&${i}`; } url::decode_query(s)"#),
            "url::decode_query: the result would have over 10000 entries (max_map_size)"
        );
    }

    #[test]
    fn a_result_over_the_string_limit_is_refused() {
        assert_eq!(
            thrown(r#"let s = ""; s.pad(100000, "ü"); url::encode(s)"#),
            "url::encode: the result would have over 262144 bytes (max_string_size)"
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

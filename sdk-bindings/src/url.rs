//! `url::` percent-encoding and query strings.

use rhai::{Dynamic, Engine, Map, Module, NativeCallContext};

use crate::args::{self, Thrown};
use crate::host::fail;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("encode", |context: NativeCallContext, text: &mut Dynamic| {
        args::bytes("url::encode", "text", text, |bytes| {
            let mut encoded = String::with_capacity(bytes.len() + bytes.len() / 2);
            encode(&mut encoded, bytes);
            args::string_fits(&context, "url::encode", encoded.len())?;
            Ok(encoded)
        })?
    });
    module.set_native_fn("decode", |text: Dynamic| {
        let text = args::string("url::decode", "text", text)?;
        decode(&text).map_err(|message| fail("url::decode", message))
    });
    module.set_native_fn("encode_query", |context: NativeCallContext, params: &mut Dynamic| {
        args::map("url::encode_query", "params", params, |map| query(&context, "url::encode_query", "", map))?
    });
    engine.register_static_module("url", module.into());
}

/// Appends `bytes`, all but the unreserved ones (RFC 3986, section 2.3) as `%XX`.
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

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let Some((&[high, low], tail)) = tail.split_first_chunk() else {
            return Err("the text ends after a '%'".into());
        };
        let (Some(high), Some(low)) = (char::from(high).to_digit(16), char::from(low).to_digit(16)) else {
            let at = text.len() - rest.len();
            return Err(format!("the '%' at byte {at} is not followed by two hexadecimal digits"));
        };
        bytes.push((high << 4 | low) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| "the result is not UTF-8".into())
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
            return Err(args::mismatch(function, &format!("{place}{key}"), expected, value.type_name()));
        }
        // Here, so that many long arrays stop at the limit.
        args::string_fits(context, function, query.len())
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

    use crate::testing::{eval, eval_with, thrown};

    #[test]
    fn malformed_escapes_are_refused_with_their_place() {
        assert_eq!(
            thrown(r#"url::decode("a%zz")"#),
            "url::decode: the '%' at byte 1 is not followed by two hexadecimal digits"
        );
        assert_eq!(thrown(r#"url::decode("a%2")"#), "url::decode: the text ends after a '%'");
        assert_eq!(thrown(r#"url::decode("%ff")"#), "url::decode: the result is not UTF-8");
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
    }
}

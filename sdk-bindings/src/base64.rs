//! `base64::` encoding and decoding, standard and for URLs.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, DecodeKind, Encoding};
use rhai::{Dynamic, Engine, Module, NativeCallContext};

use crate::args;
use crate::blob::Blob;
use crate::error::{Thrown, fail};
use crate::sizes;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("encode", |context: NativeCallContext, data: &mut Dynamic| {
        encode(&context, "base64::encode", &BASE64, data)
    });
    module.set_native_fn("encode_url", |context: NativeCallContext, data: &mut Dynamic| {
        encode(&context, "base64::encode_url", &BASE64URL_NOPAD, data)
    });
    module.set_native_fn("decode", |text: &mut Dynamic| decode("base64::decode", &BASE64_NOPAD, text));
    module.set_native_fn("decode_url", |text: &mut Dynamic| {
        decode("base64::decode_url", &BASE64URL_NOPAD, text)
    });
    engine.register_static_module("base64", module.into());
}

/// Writes `data` in `encoding`; also used by `hex::encode`.
pub fn encode(
    context: &NativeCallContext,
    function: &str,
    encoding: &Encoding,
    data: &Dynamic,
) -> Result<String, Thrown> {
    args::bytes(function, "data", data, |bytes| {
        sizes::check_string(context, function, encoding.encode_len(bytes.len()))?;
        Ok(encoding.encode(bytes))
    })?
}

/// Decodes `text`, with full padding or without.
fn decode(function: &str, encoding: &Encoding, text: &Dynamic) -> Result<Dynamic, Thrown> {
    args::bytes(function, "text", text, |bytes| {
        let bare = match bytes {
            [bare @ .., b'=', b'='] | [bare @ .., b'='] if bytes.len() % 4 == 0 => bare,
            bytes => bytes,
        };
        decode_bytes(function, encoding, bare)
    })?
}

/// Reads bytes in `encoding`; also used by `hex::decode`.
pub fn decode_bytes(function: &str, encoding: &Encoding, text: &[u8]) -> Result<Dynamic, Thrown> {
    encoding.decode(text).map(Blob::of).map_err(|error| {
        let at = error.position;
        match (error.kind, text.get(at)) {
            (DecodeKind::Symbol, Some(byte)) => {
                fail(function, format_args!("invalid character '{}' at byte {at}", byte.escape_ascii()))
            }
            (DecodeKind::Length, _) => fail(function, "unexpected end of the text"),
            _ => fail(function, format_args!("invalid encoding at byte {at}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::Dynamic;

    use crate::error::mismatch;
    use crate::testing::{eval, eval_with, message, thrown};

    #[test]
    fn invalid_base64_throws_with_the_position() {
        assert_eq!(thrown(r#"base64::decode("aG k")"#), "base64::decode: invalid character ' ' at byte 2");
        assert_eq!(thrown(r#"base64::decode("aGk_")"#), "base64::decode: invalid character '_' at byte 3");
        assert_eq!(thrown(r#"base64::decode("a")"#), "base64::decode: unexpected end of the text");
        assert!(thrown(r#"base64::decode("aGl=")"#).starts_with("base64::decode: invalid encoding"));
        assert!(thrown(r#"base64::decode("aGk==")"#).starts_with("base64::decode: "));
        assert_eq!(
            thrown("base64::encode(1)"),
            message(mismatch("base64::encode", "data", "a string or a blob", "i64"))
        );
    }

    #[test]
    fn a_text_without_padding_is_read_too() {
        assert!(eval::<bool>(r#"base64::decode("aGk") == base64::decode("aGk=")"#));
        assert!(eval::<bool>(r#"base64::decode_url("_-8=") == base64::decode("/+8")"#));
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(data: Vec<u8>) {
            let data = Dynamic::from_blob(data);
            prop_assert!(eval_with::<bool>("base64::decode(base64::encode(x)) == x", data.clone()));
            prop_assert!(eval_with::<bool>("base64::decode_url(base64::encode_url(x)) == x", data));
        }

        #[test]
        fn no_text_makes_decoding_panic(text: String) {
            let script = "try { base64::decode(x); } catch {} try { base64::decode_url(x); } catch {} true";
            prop_assert!(eval_with::<bool>(script, text));
        }
    }
}

//! `hex::` encoding and decoding.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rhai::{Dynamic, Engine, Module, NativeCallContext};

use crate::args;
use crate::base64;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("encode", |context: NativeCallContext, data: &mut Dynamic| {
        base64::encode(&context, "hex::encode", &HEXLOWER, data)
    });
    module.set_native_fn("decode", |text: &mut Dynamic| {
        args::bytes("hex::decode", "text", text, |bytes| {
            base64::decode_bytes("hex::decode", &HEXLOWER_PERMISSIVE, bytes)
        })?
    });
    engine.register_static_module("hex", module.into());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::Dynamic;

    use crate::error::mismatch;
    use crate::testing::{eval, eval_with, message, thrown};

    #[test]
    fn both_cases_are_read() {
        assert!(eval::<bool>(r#"hex::decode("00fFAb") == hex::decode("00FfaB")"#));
    }

    #[test]
    fn invalid_hexadecimal_throws() {
        assert_eq!(thrown(r#"hex::decode("0g")"#), "hex::decode: invalid character 'g' at byte 1");
        assert_eq!(thrown(r#"hex::decode("abc")"#), "hex::decode: unexpected end of the text");
        assert_eq!(
            thrown("hex::decode(#{})"),
            message(mismatch("hex::decode", "text", "a string or a blob", "map"))
        );
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(data: Vec<u8>) {
            prop_assert!(eval_with::<bool>("hex::decode(hex::encode(x)) == x", Dynamic::from_blob(data)));
        }
    }
}

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

    use crate::testing::{eval, eval_with, thrown};

    #[test]
    fn both_cases_are_read() {
        assert!(eval::<bool>(r#"hex::decode("00fFAb") == hex::decode("00FfaB")"#));
    }

    #[test]
    fn what_is_not_hexadecimal_is_refused() {
        assert_eq!(thrown(r#"hex::decode("0g")"#), "hex::decode: 'g' at byte 1 does not belong there");
        assert_eq!(thrown(r#"hex::decode("abc")"#), "hex::decode: the text ends too early");
        assert_eq!(thrown("hex::decode(#{})"), "hex::decode: text must be a string or a blob, not map");
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(data: Vec<u8>) {
            prop_assert!(eval_with::<bool>("hex::decode(hex::encode(x)) == x", Dynamic::from_blob(data)));
        }
    }
}

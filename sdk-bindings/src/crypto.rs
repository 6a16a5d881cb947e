//! `crypto::` hashes, signatures, and comparing them.

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use rhai::{Dynamic, Engine, Module};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::args;
use crate::error::Thrown;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("sha256", |data: &mut Dynamic| {
        args::bytes("crypto::sha256", "data", data, |bytes| HEXLOWER.encode(&Sha256::digest(bytes)))
    });
    module.set_native_fn("hmac_sha256", |key: &mut Dynamic, data: Dynamic| hmac_sha256(key, &data));
    module.set_native_fn("constant_time_eq", |a: &mut Dynamic, b: Dynamic| {
        let function = "crypto::constant_time_eq";
        args::bytes(function, "a", a, |a| args::bytes(function, "b", &b, |b| bool::from(a.ct_eq(b))))?
    });
    engine.register_static_module("crypto", module.into());
}

fn hmac_sha256(key: &Dynamic, data: &Dynamic) -> Result<String, Thrown> {
    let mut mac = args::bytes("crypto::hmac_sha256", "key", key, |key| {
        Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
    })?;
    args::bytes("crypto::hmac_sha256", "data", data, |data| mac.update(data))?;
    Ok(HEXLOWER.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use crate::error::mismatch;
    use crate::testing::{eval, message, thrown};

    #[test]
    fn the_vectors_of_rfc_4231_hold() {
        assert_eq!(
            eval::<String>(r#"crypto::hmac_sha256(blob(20, 0x0b), "Hi There")"#),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            eval::<String>(
                r#"crypto::hmac_sha256(blob(131, 0xaa), "Test Using Larger Than Block-Size Key - Hash Key First")"#
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn blobs_and_strings_with_equal_bytes_are_equal() {
        assert!(eval::<bool>(r#"crypto::sha256("abc".to_blob()) == crypto::sha256("abc")"#));
        assert!(eval::<bool>(r#"crypto::constant_time_eq("abc", "abc".to_blob())"#));
    }

    #[test]
    fn different_values_are_not_equal() {
        assert!(eval::<bool>(
            r#"!crypto::constant_time_eq("abc", "abd") && !crypto::constant_time_eq("abc", "ab")"#
        ));
    }

    #[test]
    fn other_types_are_refused_by_name() {
        assert_eq!(
            thrown("crypto::sha256(1)"),
            message(mismatch("crypto::sha256", "data", "a string or a blob", "i64"))
        );
        assert_eq!(
            thrown(r#"crypto::hmac_sha256("k", [])"#),
            message(mismatch("crypto::hmac_sha256", "data", "a string or a blob", "array"))
        );
        assert_eq!(
            thrown(r#"crypto::constant_time_eq("k", ())"#),
            message(mismatch("crypto::constant_time_eq", "b", "a string or a blob", "()"))
        );
    }
}

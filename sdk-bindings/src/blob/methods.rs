//! The script functions of long blobs.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, INT, Module, NativeCallContext, Position,
    Variant,
};

use super::value::Blob;

use crate::error::{Thrown, fail};
use crate::sizes;

/// Registers the functions that native blobs have for long blobs.
pub fn register(engine: &mut Engine) {
    let method = |name: &str| FuncRegistration::new(name).with_purity(true);
    engine.register_type_with_name::<Blob>("blob");
    method("len").register_into_engine(engine, |blob: &mut Blob| blob.len() as INT);
    engine.register_get("len", |blob: &mut Blob| blob.len() as INT);
    // It is longer than a native blob may be, so it is never empty.
    method("is_empty").register_into_engine(engine, |_: &mut Blob| false);
    engine.register_get("is_empty", |_: &mut Blob| false);
    method("contains").register_into_engine(engine, |blob: &mut Blob, byte: INT| {
        u8::try_from(byte).is_ok_and(|byte| blob.bytes().contains(&byte))
    });
    method("get").register_into_engine(engine, |blob: &mut Blob, index: INT| {
        blob.bytes().get(blob.start(index)).map_or(0, |byte| INT::from(*byte))
    });
    engine.register_indexer_get(|blob: &mut Blob, index: INT| match blob.index(index) {
        Some(index) => Ok(INT::from(blob.bytes()[index])),
        None => Err(Thrown::from(EvalAltResult::ErrorArrayBounds(blob.len(), index, Position::NONE))),
    });
    method("extract")
        .register_into_engine(engine, |blob: &mut Blob, start: INT, len: INT| blob.extract(start, len));
    method("extract")
        .register_into_engine(engine, |blob: &mut Blob, start: INT| blob.extract(start, INT::MAX));
    method("extract").register_into_engine(engine, |blob: &mut Blob, range: Range<INT>| {
        let start = range.start.max(0);
        blob.extract(start, range.end.max(start) - start)
    });
    method("extract").register_into_engine(engine, |blob: &mut Blob, range: RangeInclusive<INT>| {
        let start = (*range.start()).max(0);
        blob.extract(start, ((*range.end()).max(start) - start).saturating_add(1))
    });
    method("as_string")
        .register_into_engine(engine, |context: NativeCallContext, blob: &mut Blob| blob.text(&context));
    for name in ["to_string", "to_debug"] {
        method(name).register_into_engine(engine, |blob: &mut Blob| ToString::to_string(blob));
    }
    compare(engine, |one: Blob, other: Blob| one.bytes() == other.bytes());
    compare(engine, |one: Blob, other: rhai::Blob| one.bytes() == other);
    compare(engine, |one: rhai::Blob, other: Blob| one == other.bytes());
    engine.register_fn("+", |one: Blob, other: Blob| joined(one.bytes(), other.bytes()));
    engine.register_fn("+", |one: Blob, other: rhai::Blob| joined(one.bytes(), &other));
    engine.register_fn("+", |one: rhai::Blob, other: Blob| joined(&one, other.bytes()));
    engine.register_iterator::<Blob>();
    count_in_ints(engine);
    refuse_changes(engine);
}

fn compare<A: Variant + Clone, B: Variant + Clone>(engine: &mut Engine, equal: fn(A, B) -> bool) {
    engine.register_fn("==", equal);
    engine.register_fn("!=", move |one: A, other: B| !equal(one, other));
}

fn joined(one: &[u8], other: &[u8]) -> Dynamic {
    Blob::of([one, other].concat())
}

/// Makes `for byte in blob` yield ints for native blobs. Rhai yields `u8`, which has no operators.
fn count_in_ints(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_iter(TypeId::of::<rhai::Blob>(), |blob| {
        Box::new(blob.cast::<rhai::Blob>().into_iter().map(|byte| INT::from(byte).into()))
    });
    engine.register_global_module(module.into());
}

/// The functions that change a native blob, with the number of their parameters.
const CHANGES: [(&str, usize); 19] = [
    ("append", 1),
    ("chop", 1),
    ("clear", 0),
    ("drain", 1),
    ("drain", 2),
    ("insert", 2),
    ("pad", 2),
    ("pop", 0),
    ("push", 1),
    ("remove", 1),
    ("retain", 1),
    ("retain", 2),
    ("reverse", 0),
    ("set", 2),
    ("shift", 0),
    ("splice", 2),
    ("splice", 3),
    ("split", 1),
    ("truncate", 1),
];

fn read_only(function: &str) -> Thrown {
    fail(function, "a blob this long is read-only; use extract to copy a part")
}

/// Registers the functions that change a blob, to throw a better error than "function not found".
fn refuse_changes(engine: &mut Engine) {
    for (name, parameters) in CHANGES {
        let refuse = move || -> Result<(), Thrown> { Err(read_only(name)) };
        match parameters {
            0 => engine.register_fn(name, move |_: &mut Blob| refuse()),
            1 => engine.register_fn(name, move |_: &mut Blob, _: Dynamic| refuse()),
            2 => engine.register_fn(name, move |_: &mut Blob, _: Dynamic, _: Dynamic| refuse()),
            _ => engine.register_fn(name, move |_: &mut Blob, _: Dynamic, _: Dynamic, _: Dynamic| refuse()),
        };
    }
    engine.register_indexer_set(|_: &mut Blob, _: INT, _: Dynamic| -> Result<(), Thrown> {
        Err(read_only("[]"))
    });
    engine.register_fn("to_array", |context: NativeCallContext, blob: &mut Blob| -> Result<Array, Thrown> {
        sizes::check_array(&context, "to_array", blob.len())?;
        Ok(blob.bytes().iter().map(|byte| INT::from(*byte).into()).collect())
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::{Dynamic, INT};

    use super::read_only;
    use crate::blob::Blob;
    use crate::error::result_too_large;
    use crate::testing::{self, eval, eval_with, message, thrown};

    /// A long blob of `bytes`, however few they are.
    fn long(bytes: &[u8]) -> Dynamic {
        let _ = eval::<INT>("1"); // sets the limit of this thread
        Dynamic::from(Blob::of_any_length(bytes))
    }

    #[test]
    fn a_long_blob_is_used_like_any_other() {
        assert!(eval::<bool>(
            r#"
                let b = random::bytes(30000);
                let copy = b;
                let part = b.extract(10, 20);
                let letters = base64::decode(base64::encode(b));
                let n = 0;
                for byte in b { n += byte; if n > 1000 { break; } }
                type_of(b) == "blob" && b.len() == 30000 && b.len == 30000 && !b.is_empty() && b == copy
                    && letters == b && !(letters != b) && b != part && part != b && part.len() == 20
                    && part[0] == b[10] && b[-1] == b.get(29999) && b.get(30000) == 0
                    && hex::decode(hex::encode(b)) == b && crypto::sha256(b) == crypto::sha256(letters)
                    && b.extract(29990) == b.extract(29990..30000) && b.extract(5..=6).len() == 2
                    && b.extract(100, 20000).len() == 20000 && type_of(b.extract(0)) == "blob"
                    && b[0] in b && `${b}` == "blob of 30000 bytes" && n > 0
            "#
        ));
    }

    #[test]
    fn long_blobs_are_kept_and_sent() {
        assert!(eval::<bool>(
            r#"
                let b = random::bytes(30000);
                let c = kv::collection("blobs");
                c.set("b", b);
                c.set("nested", #{ list: [b, 1] });
                c.get("b") == b && c.get("nested").list[0] == b && c.set_if("b", b, 1)
                    && http::post("http://x/", b).status == 200
            "#
        ));
    }

    #[test]
    fn blobs_are_joined_whatever_their_kinds() {
        assert!(eval::<bool>(
            r#"
                let long = random::bytes(30000); let short = "head".to_blob();
                let whole = short + long + short;
                let twice = long + long;
                whole.len() == 30008 && whole.extract(4, 30000) == long && whole.extract(30004).as_string() == "head"
                    && twice.len() == 60000
            "#
        ));
    }

    #[test]
    fn unsupported_operations_on_long_blobs_throw() {
        let given = "let b = random::bytes(30000);";
        for (call, message) in [
            ("b.push(1)", "push: a blob this long is read-only; use extract to copy a part".to_string()),
            ("b.splice(0, 1, b)", message(read_only("splice"))),
            ("b.clear()", message(read_only("clear"))),
            ("b[0] = 1", message(read_only("[]"))),
            ("b.to_array()", message(result_too_large("to_array", 10000, "elements", "max_array_size"))),
            (
                "json::stringify(b)",
                "json::stringify: a value of type blob cannot be written as JSON".to_string(),
            ),
            (
                "let long = b; for i in 0..4 { long = long + long; } long.as_string()",
                message(result_too_large("as_string", 262144, "bytes", "max_string_size")),
            ),
        ] {
            assert_eq!(thrown(&format!("{given} {call}")), message);
        }
        let error = testing::engine().eval::<INT>("random::bytes(30000)[30000]").unwrap_err();
        assert!(error.to_string().contains("out of bounds"), "{error}");
    }

    proptest! {
        /// Whatever is done to it, a long blob gives what the interpreter's own gives.
        #[test]
        fn both_kinds_of_blob_agree(
            bytes in prop::collection::vec(any::<u8>(), 0..12),
            start in -15..15_i64,
            length in prop_oneof![-3..15_i64, Just(INT::MAX), Just(INT::MIN)],
            byte in 0..300_i64,
        ) {
            for script in [
                format!("x.extract({start}, {length}).to_array()"),
                format!("x.extract({start}).to_array()"),
                format!("x.extract({start}..{length}).to_array()"),
                format!("x.extract({start}..={length}).to_array()"),
                format!("[x.get({start}), x.len(), x.as_string(), x.to_array()]"),
                "let all = []; for byte in x { all.push(byte + 1); } all".into(),
                format!("let byte = -1; try {{ byte = x[{start}]; }} catch {{}} [byte]"),
            ] {
                let own = eval_with::<rhai::Array>(&script, Dynamic::from_blob(bytes.clone()));
                let long = eval_with::<rhai::Array>(&script, long(&bytes));
                prop_assert_eq!(format!("{:?}", long), format!("{:?}", own), "{}", script);
            }
            let contains = format!("x.contains({byte})");
            if byte < 256 {
                let own = eval_with::<bool>(&contains, Dynamic::from_blob(bytes.clone()));
                prop_assert_eq!(eval_with::<bool>(&contains, long(&bytes)), own);
            }
        }
    }
}

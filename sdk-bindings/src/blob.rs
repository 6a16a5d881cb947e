//! Blobs that are longer than the interpreter's own may be.
//!
//! Rhai counts the bytes of a blob as elements of an array, so that one of more than `max_array_size` bytes cannot
//! be used at all. Such a blob reaches a script as the type of this file: it is called "blob" like the other and
//! read like it, it cannot be changed, and it is not measured, since the memory of the script bounds it anyway.
//! What is cut out of one shares its memory, and the body of a request is fetched when it is first looked at.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, INT, NativeCallContext, Position, Variant,
};

use crate::args::{self, Thrown};
use crate::host::fail;
use crate::request;

thread_local! {
    static LONGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Sets how long a blob of the interpreter's own may be: `max_array_size`, 0 for any length.
pub fn set_longest(length: usize) {
    LONGEST.set(if length == 0 { usize::MAX } else { length });
}

/// A blob of any length that cannot be changed.
#[derive(Clone)]
pub struct Blob {
    source: Rc<Source>,
    part: Range<usize>,
}

enum Source {
    Here(Vec<u8>),
    /// The body of the request: its length, and the reply it came in once it was looked at.
    Request(usize, OnceCell<(Vec<u8>, Range<usize>)>),
}

impl Blob {
    /// `bytes` as a script sees them.
    pub fn of(bytes: Vec<u8>) -> Dynamic {
        let whole = 0..bytes.len();
        Self::part(bytes, whole)
    }

    /// A part of `bytes`, as a script sees it.
    pub fn part(bytes: Vec<u8>, part: Range<usize>) -> Dynamic {
        Self { source: Rc::new(Source::Here(bytes)), part }.settled(LONGEST.get())
    }

    /// A part of `bytes` as something in a map of the host's: what is in there is measured together, so that only
    /// a short one is of the interpreter's own kind.
    pub fn within(bytes: Vec<u8>, part: Range<usize>) -> Dynamic {
        Self { source: Rc::new(Source::Here(bytes)), part }.settled(LONGEST.get() / 4)
    }

    /// The body of the request, of which only its length is known yet.
    pub fn of_request(length: usize) -> Dynamic {
        let source = Rc::new(Source::Request(length, OnceCell::new()));
        Self { source, part: 0..length }.settled(LONGEST.get())
    }

    /// Whether a value is the whole body of the request, which the host has, too.
    pub fn is_of_request(value: &Dynamic) -> bool {
        value.read_lock::<Self>().is_some_and(
            |blob| matches!(*blob.source, Source::Request(length, _) if blob.part == (0..length)),
        )
    }

    /// Whether a value is any kind of blob.
    pub fn is(value: &Dynamic) -> bool {
        value.is_blob() || value.is::<Self>()
    }

    /// The bytes of any kind of blob, lent to `read`; none for another value.
    pub fn lend<T>(value: &Dynamic, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if let Some(blob) = value.read_lock::<rhai::Blob>() {
            return Some(read(&blob));
        }
        value.read_lock::<Self>().map(|blob| read(blob.bytes()))
    }

    /// As the interpreter's own kind when it is no longer than `longest`.
    fn settled(self, longest: usize) -> Dynamic {
        if self.part.len() <= longest {
            return Dynamic::from_blob(self.bytes().to_vec());
        }
        Dynamic::from(self)
    }

    fn bytes(&self) -> &[u8] {
        let whole = match &*self.source {
            Source::Here(bytes) => bytes,
            Source::Request(_, fetched) => {
                let (reply, body) = fetched.get_or_init(request::body);
                &reply[body.clone()]
            }
        };
        &whole[self.part.clone()]
    }

    /// Where an index is; a negative one counts from the end.
    fn place(&self, index: INT) -> Option<usize> {
        let length = self.part.len();
        match usize::try_from(index) {
            Ok(index) => (index < length).then_some(index),
            Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
        }
    }

    /// Where an index starts a part: one before the beginning is the beginning, one behind the end is the end.
    fn start(&self, index: INT) -> usize {
        let length = self.part.len();
        match usize::try_from(index) {
            Ok(index) => index.min(length),
            Err(_) => length.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
        }
    }

    fn extract(&self, start: INT, length: INT) -> Dynamic {
        let (start, whole) = (self.start(start), self.part.len());
        let length = usize::try_from(length).unwrap_or(if length < 0 { 0 } else { usize::MAX });
        let part = self.part.start + start..self.part.start + start.saturating_add(length).min(whole);
        Self { source: self.source.clone(), part }.settled(LONGEST.get())
    }

    fn text(&self, context: &NativeCallContext) -> Result<String, Thrown> {
        args::string_fits(context, "as_string", self.part.len())?;
        match String::from_utf8_lossy(self.bytes()) {
            Cow::Borrowed(text) => Ok(text.into()),
            Cow::Owned(text) => args::string_fits(context, "as_string", text.len()).map(|()| text),
        }
    }
}

impl fmt::Display for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "blob of {} bytes", self.part.len())
    }
}

/// What `for byte in blob` goes through.
impl IntoIterator for Blob {
    type Item = INT;
    type IntoIter = Bytes;

    fn into_iter(self) -> Bytes {
        Bytes { blob: self, next: 0 }
    }
}

/// The bytes of a [`Blob`] in order.
pub struct Bytes {
    blob: Blob,
    next: usize,
}

impl Iterator for Bytes {
    type Item = INT;

    fn next(&mut self) -> Option<INT> {
        let byte = *self.blob.bytes().get(self.next)?;
        self.next += 1;
        Some(byte.into())
    }
}

/// Registers what a script can do with a long blob, by the names that the interpreter's own blobs have.
pub fn register(engine: &mut Engine) {
    let method = |name: &str| FuncRegistration::new(name).with_purity(true);
    engine.register_type_with_name::<Blob>("blob");
    method("len").register_into_engine(engine, |blob: &mut Blob| blob.part.len() as INT);
    engine.register_get("len", |blob: &mut Blob| blob.part.len() as INT);
    // A blob of this kind has more bytes than one of the other, so it is never empty.
    method("is_empty").register_into_engine(engine, |_: &mut Blob| false);
    engine.register_get("is_empty", |_: &mut Blob| false);
    method("contains").register_into_engine(engine, |blob: &mut Blob, byte: INT| {
        u8::try_from(byte).is_ok_and(|byte| blob.bytes().contains(&byte))
    });
    method("get").register_into_engine(engine, |blob: &mut Blob, index: INT| {
        blob.bytes().get(blob.start(index)).map_or(0, |byte| INT::from(*byte))
    });
    engine.register_indexer_get(|blob: &mut Blob, index: INT| match blob.place(index) {
        Some(place) => Ok(INT::from(blob.bytes()[place])),
        None => Err(Thrown::from(EvalAltResult::ErrorArrayBounds(blob.part.len(), index, Position::NONE))),
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
    refuse_changes(engine);
}

fn compare<A: Variant + Clone, B: Variant + Clone>(engine: &mut Engine, equal: fn(A, B) -> bool) {
    engine.register_fn("==", equal);
    engine.register_fn("!=", move |one: A, other: B| !equal(one, other));
}

fn joined(one: &[u8], other: &[u8]) -> Dynamic {
    Blob::of([one, other].concat())
}

/// What changes a blob of the interpreter's own, with the number of its parameters.
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

/// Says why not, where the interpreter would say that there is no such function.
fn refuse_changes(engine: &mut Engine) {
    for (name, parameters) in CHANGES {
        let refuse = move || -> Result<(), Thrown> {
            Err(fail(name, "a blob this long cannot be changed; cut a part out with extract"))
        };
        match parameters {
            0 => engine.register_fn(name, move |_: &mut Blob| refuse()),
            1 => engine.register_fn(name, move |_: &mut Blob, _: Dynamic| refuse()),
            2 => engine.register_fn(name, move |_: &mut Blob, _: Dynamic, _: Dynamic| refuse()),
            _ => engine.register_fn(name, move |_: &mut Blob, _: Dynamic, _: Dynamic, _: Dynamic| refuse()),
        };
    }
    engine.register_indexer_set(|_: &mut Blob, _: INT, _: Dynamic| -> Result<(), Thrown> {
        Err(fail("[]", "a blob this long cannot be changed; cut a part out with extract"))
    });
    engine.register_fn("to_array", |context: NativeCallContext, blob: &mut Blob| -> Result<Array, Thrown> {
        args::array_fits(&context, "to_array", blob.part.len())?;
        Ok(blob.bytes().iter().map(|byte| INT::from(*byte).into()).collect())
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rhai::{Dynamic, INT};

    use super::Blob;
    use crate::native::{MemoryHost, install};
    use crate::testing::{self, eval, eval_with, thrown};

    /// A long blob of `bytes`, however few they are.
    fn long(bytes: &[u8]) -> Dynamic {
        let _ = eval::<INT>("1"); // sets the limit of this thread
        let part = 0..bytes.len();
        Dynamic::from(Blob { source: super::Source::Here(bytes.to_vec()).into(), part })
    }

    #[test]
    fn a_blob_is_of_the_interpreters_own_kind_up_to_the_limit() {
        let _ = eval::<INT>("1");
        assert!(Blob::of(vec![0; 10_000]).is_blob());
        assert!(!Blob::of(vec![0; 10_001]).is_blob());
        assert!(Blob::within(vec![0; 9_000], 0..2_500).is_blob());
        assert!(!Blob::within(vec![0; 9_000], 0..2_501).is_blob());
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
    fn what_a_long_blob_cannot_do_is_said() {
        let given = "let b = random::bytes(30000);";
        for (call, message) in [
            ("b.push(1)", "push: a blob this long cannot be changed; cut a part out with extract"),
            ("b.splice(0, 1, b)", "splice: a blob this long cannot be changed; cut a part out with extract"),
            ("b.clear()", "clear: a blob this long cannot be changed; cut a part out with extract"),
            ("b[0] = 1", "[]: a blob this long cannot be changed; cut a part out with extract"),
            ("b.to_array()", "to_array: the result would have over 10000 elements (max_array_size)"),
            ("json::stringify(b)", "json::stringify: a value of type blob cannot be written as JSON"),
            (
                "let long = b; for i in 0..4 { long = long + long; } long.as_string()",
                "as_string: the result would have over 262144 bytes (max_string_size)",
            ),
        ] {
            assert_eq!(thrown(&format!("{given} {call}")), message);
        }
        let error = testing::engine().eval::<INT>("random::bytes(30000)[30000]").unwrap_err();
        assert!(error.to_string().contains("out of bounds"), "{error}");
    }

    #[test]
    fn the_body_of_a_request_is_fetched_when_it_is_looked_at() {
        let _ = eval::<INT>("1");
        install(MemoryHost::with_request_body(vec![7; 20_000]));
        let body = Blob::of_request(20_000);
        let fetched = |value: &Dynamic| {
            let blob = value.read_lock::<Blob>().unwrap();
            matches!(&*blob.source, super::Source::Request(_, fetched) if fetched.get().is_some())
        };
        assert!(Blob::is_of_request(&body) && !fetched(&body));
        assert!(eval_with::<bool>(
            "files::collection(\"c\").create(#{ name: \"a\", data: x }).size == 20000",
            body.clone()
        ));
        assert!(eval_with::<bool>("x.len() == 20000", body.clone()));
        assert!(!fetched(&body));
        assert!(eval_with::<bool>("let part = x.extract(0, 15000); part.len() == 15000", body.clone()));
        assert!(!fetched(&body));
        assert!(eval_with::<bool>("x[19999] == 7", body.clone()));
        assert!(fetched(&body));
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

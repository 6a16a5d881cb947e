//! The type of long blobs.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use rhai::{Dynamic, INT, NativeCallContext};

use crate::error::Thrown;
use crate::sizes;

thread_local! {
    static MAX_NATIVE_LENGTH: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Sets the maximum length of a native blob: `max_array_size`, 0 for no limit.
pub fn set_max_native_length(length: usize) {
    MAX_NATIVE_LENGTH.set(if length == 0 { usize::MAX } else { length });
}

/// A read-only blob of any length.
#[derive(Clone)]
pub struct Blob {
    source: Rc<Source>,
    part: Range<usize>,
}

/// Bytes, and where in them the blob lies.
type Part = (Vec<u8>, Range<usize>);

enum Source {
    Here(Vec<u8>),
    /// Bytes that are fetched when they are first read.
    Late {
        length: usize,
        fetch: fn() -> Part,
        fetched: OnceCell<Part>,
    },
}

impl Blob {
    /// `bytes` as a script value: a native blob if they fit, otherwise a [`Blob`].
    pub fn of(bytes: Vec<u8>) -> Dynamic {
        let whole = 0..bytes.len();
        Self::part(bytes, whole)
    }

    /// A part of `bytes` as a script value.
    pub fn part(bytes: Vec<u8>, part: Range<usize>) -> Dynamic {
        Self { source: Rc::new(Source::Here(bytes)), part }.into_value(MAX_NATIVE_LENGTH.get())
    }

    /// A part of `bytes` as a value inside a map. Rhai counts all elements of a map together, so only a short part
    /// becomes a native blob.
    pub fn within(bytes: Vec<u8>, part: Range<usize>) -> Dynamic {
        Self { source: Rc::new(Source::Here(bytes)), part }.into_value(MAX_NATIVE_LENGTH.get() / 4)
    }

    /// A blob of this type, however short.
    #[cfg(test)]
    pub(super) fn of_any_length(bytes: &[u8]) -> Self {
        Self { source: Rc::new(Source::Here(bytes.to_vec())), part: 0..bytes.len() }
    }

    /// A blob of which only the length is known yet: `fetch` gives its bytes when they are first read.
    pub fn late(length: usize, fetch: fn() -> (Vec<u8>, Range<usize>)) -> Dynamic {
        let source = Rc::new(Source::Late { length, fetch, fetched: OnceCell::new() });
        Self { source, part: 0..length }.into_value(MAX_NATIVE_LENGTH.get())
    }

    /// Whether a value is the whole of a [late](Self::late) blob, fetched or not.
    pub fn is_late(value: &Dynamic) -> bool {
        value.read_lock::<Self>().is_some_and(
            |blob| matches!(*blob.source, Source::Late { length, .. } if blob.part == (0..length)),
        )
    }

    /// True for both kinds of blob.
    pub fn is(value: &Dynamic) -> bool {
        value.is_blob() || value.is::<Self>()
    }

    /// Calls `read` with the bytes of either kind of blob; None for other values.
    pub fn with_bytes<T>(value: &Dynamic, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if let Some(blob) = value.read_lock::<rhai::Blob>() {
            return Some(read(&blob));
        }
        value.read_lock::<Self>().map(|blob| read(blob.bytes()))
    }

    /// A native blob if it has at most `longest` bytes, otherwise this one.
    fn into_value(self, longest: usize) -> Dynamic {
        if self.part.len() <= longest {
            return Dynamic::from_blob(self.bytes().to_vec());
        }
        Dynamic::from(self)
    }

    pub(super) fn len(&self) -> usize {
        self.part.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let whole = match &*self.source {
            Source::Here(bytes) => bytes,
            Source::Late { fetch, fetched, .. } => {
                let (reply, part) = fetched.get_or_init(fetch);
                &reply[part.clone()]
            }
        };
        &whole[self.part.clone()]
    }

    /// Resolves an index; a negative one counts from the end.
    pub(super) fn index(&self, index: INT) -> Option<usize> {
        let length = self.part.len();
        match usize::try_from(index) {
            Ok(index) => (index < length).then_some(index),
            Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
        }
    }

    /// Resolves the start of a part, clamped to the blob.
    pub(super) fn start(&self, index: INT) -> usize {
        let length = self.part.len();
        match usize::try_from(index) {
            Ok(index) => index.min(length),
            Err(_) => length.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
        }
    }

    pub(super) fn extract(&self, start: INT, length: INT) -> Dynamic {
        let (start, whole) = (self.start(start), self.part.len());
        let length = usize::try_from(length).unwrap_or(if length < 0 { 0 } else { usize::MAX });
        let part = self.part.start + start..self.part.start + start.saturating_add(length).min(whole);
        Self { source: self.source.clone(), part }.into_value(MAX_NATIVE_LENGTH.get())
    }

    pub(super) fn text(&self, context: &NativeCallContext) -> Result<String, Thrown> {
        sizes::check_string(context, "as_string", self.part.len())?;
        match String::from_utf8_lossy(self.bytes()) {
            Cow::Borrowed(text) => Ok(text.into()),
            Cow::Owned(text) => sizes::check_string(context, "as_string", text.len()).map(|()| text),
        }
    }
}

impl fmt::Display for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "blob of {} bytes", self.part.len())
    }
}

/// For `for byte in blob`.
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

#[cfg(test)]
mod tests {
    use rhai::{Dynamic, INT};

    use super::{Blob, Source};
    use crate::testing::{eval, eval_with};

    #[test]
    fn a_blob_is_native_up_to_the_limit() {
        let _ = eval::<INT>("1");
        assert!(Blob::of(vec![0; 10_000]).is_blob());
        assert!(!Blob::of(vec![0; 10_001]).is_blob());
        assert!(Blob::within(vec![0; 9_000], 0..2_500).is_blob());
        assert!(!Blob::within(vec![0; 9_000], 0..2_501).is_blob());
    }

    #[test]
    fn a_late_blob_is_fetched_when_its_bytes_are_read() {
        let _ = eval::<INT>("1");
        let late = Blob::late(20_000, || (vec![7; 20_010], 5..20_005));
        let fetched = |value: &Dynamic| {
            let blob = value.read_lock::<Blob>().unwrap();
            matches!(&*blob.source, Source::Late { fetched, .. } if fetched.get().is_some())
        };
        assert!(Blob::is_late(&late) && !fetched(&late));
        assert!(eval_with::<bool>("x.len() == 20000", late.clone()));
        let part = eval_with::<Dynamic>("x.extract(0, 15000)", late.clone());
        assert!(!Blob::is_late(&part) && !fetched(&late));
        assert!(eval_with::<bool>("x[19999] == 7", late.clone()));
        assert!(fetched(&late) && fetched(&part) && Blob::is_late(&late));
    }
}

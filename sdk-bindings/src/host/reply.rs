//! What the host answered.

use std::ops::Range;

use rhai::{Dynamic, ImmutableString};

use crate::error::{Thrown, invalid_reply};
use crate::wire::{Reader, WireError};

/// One MessagePack value from the host. Read it before the next host call.
pub struct Reply {
    bytes: Bytes,
    import: &'static str,
}

/// A reply lies in the reply buffer, or in memory of its own when it is longer than that.
pub(super) enum Bytes {
    #[cfg(target_arch = "wasm32")]
    Buffer(&'static [u8]),
    Owned(Vec<u8>),
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            #[cfg(target_arch = "wasm32")]
            Bytes::Buffer(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

impl Reply {
    pub(super) fn new(bytes: Bytes, import: &'static str) -> Self {
        Self { bytes, import }
    }

    /// The raw MessagePack.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// A `value`, `map` or `list` result; nil is `()`.
    pub fn value(&self) -> Result<Dynamic, Thrown> {
        self.read(|reader| reader.value())
    }

    /// An `int` result.
    pub fn int(&self) -> Result<rhai::INT, Thrown> {
        self.read(|reader| reader.int())
    }

    /// A `float` result.
    pub fn float(&self) -> Result<rhai::FLOAT, Thrown> {
        self.read(|reader| reader.float())
    }

    /// A `bool` result.
    pub fn bool(&self) -> Result<bool, Thrown> {
        self.read(|reader| reader.bool())
    }

    /// A `string` result.
    pub fn string(&self) -> Result<ImmutableString, Thrown> {
        self.read(|reader| reader.string().map(Into::into))
    }

    /// A `string?` result.
    pub fn optional_string(&self) -> Result<Option<&str>, Thrown> {
        self.read(|reader| reader.optional_string())
    }

    /// A `bytes` result.
    pub fn bytes(&self) -> Result<&[u8], Thrown> {
        self.read(|reader| reader.bytes())
    }

    /// A `bytes?` result.
    pub fn optional_bytes(&self) -> Result<Option<&[u8]>, Thrown> {
        self.read(|reader| reader.optional_bytes())
    }

    /// The range of `part`, a slice that was read from this reply.
    pub fn range(&self, part: &[u8]) -> Range<usize> {
        let start = part.as_ptr() as usize - self.as_bytes().as_ptr() as usize;
        start..start + part.len()
    }

    /// The raw MessagePack, copied out of the reply buffer.
    pub fn into_vec(self) -> Vec<u8> {
        match self.bytes {
            #[cfg(target_arch = "wasm32")]
            Bytes::Buffer(bytes) => bytes.to_vec(),
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// Any result, read by `decode`.
    pub fn read<'a, T>(
        &'a self,
        decode: impl FnOnce(&mut Reader<'a>) -> Result<T, WireError>,
    ) -> Result<T, Thrown> {
        decode(&mut Reader::new(self.as_bytes())).map_err(|error| invalid_reply(self.import, error))
    }
}

//! Reading MessagePack.

use rhai::{Array, Dynamic, FLOAT, INT, Map};
use rmp::Marker;
use rmp::decode::{self, Bytes};

use super::error::WireError;
use crate::blob::Blob;
use crate::limits::MAX_NESTING_LEVELS;

/// Reads MessagePack from a slice, value by value.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: Bytes<'a>,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: Bytes::new(bytes) }
    }

    /// True when everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.remaining_slice().is_empty()
    }

    /// Reads a nil if one is next; true if it was.
    pub fn nil(&mut self) -> bool {
        let found = self.marker() == Ok(Marker::Null);
        found && decode::read_nil(&mut self.rest).is_ok()
    }

    /// A truth value.
    pub fn bool(&mut self) -> Result<bool, WireError> {
        Ok(decode::read_bool(&mut self.rest)?)
    }

    /// An integer in any of its forms.
    pub fn int(&mut self) -> Result<INT, WireError> {
        Ok(decode::read_int(&mut self.rest)?)
    }

    /// A float; an integer counts as one.
    pub fn float(&mut self) -> Result<FLOAT, WireError> {
        match self.marker()? {
            Marker::F32 => Ok(decode::read_f32(&mut self.rest)?.into()),
            Marker::F64 => Ok(decode::read_f64(&mut self.rest)?),
            _ => Ok(self.int()? as FLOAT),
        }
    }

    /// Text.
    pub fn string(&mut self) -> Result<&'a str, WireError> {
        let length = decode::read_str_len(&mut self.rest)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| WireError::NotText)
    }

    /// Text, or nil.
    pub fn optional_string(&mut self) -> Result<Option<&'a str>, WireError> {
        if self.nil() { Ok(None) } else { self.string().map(Some) }
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = decode::read_bin_len(&mut self.rest)?;
        self.take(length)
    }

    /// Bytes, or nil.
    pub fn optional_bytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        if self.nil() { Ok(None) } else { self.bytes().map(Some) }
    }

    /// The number of elements of an array; they follow.
    pub fn array(&mut self) -> Result<usize, WireError> {
        Ok(decode::read_array_len(&mut self.rest)? as usize)
    }

    /// The number of pairs of a map; they follow.
    pub fn map(&mut self) -> Result<usize, WireError> {
        Ok(decode::read_map_len(&mut self.rest)? as usize)
    }

    /// Any value as a Rhai value.
    pub fn value(&mut self) -> Result<Dynamic, WireError> {
        self.nested(0)
    }

    /// Any value that goes into a map; see [`Blob::within`].
    pub fn part(&mut self) -> Result<Dynamic, WireError> {
        match self.marker()? {
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let bytes = self.bytes()?.to_vec();
                let whole = 0..bytes.len();
                Ok(Blob::within(bytes, whole))
            }
            _ => self.value(),
        }
    }

    fn nested(&mut self, depth: usize) -> Result<Dynamic, WireError> {
        if depth > MAX_NESTING_LEVELS {
            return Err(WireError::TooDeep);
        }
        Ok(match self.marker()? {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => self.string()?.into(),
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let mut map = Map::new();
                for _ in 0..self.map()? {
                    let key = self.string()?;
                    map.insert(key.into(), self.nested(depth + 1)?);
                }
                map.into()
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let count = self.array()?;
                // A length that lies must not reserve memory: every element takes a byte at least.
                let mut array = Array::with_capacity(count.min(self.rest.remaining_slice().len()));
                for _ in 0..count {
                    array.push(self.nested(depth + 1)?);
                }
                array.into()
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let bytes = self.bytes()?.to_vec();
                let whole = 0..bytes.len();
                if depth == 0 { Blob::of(bytes) } else { Blob::within(bytes, whole) }
            }
            Marker::Null => {
                decode::read_nil(&mut self.rest)?;
                Dynamic::UNIT
            }
            Marker::True | Marker::False => self.bool()?.into(),
            Marker::F32 | Marker::F64 => self.float()?.into(),
            _ => self.int()?.into(),
        })
    }

    /// The marker of the next value, which is not read yet.
    pub fn marker(&self) -> Result<Marker, WireError> {
        let first = self.rest.remaining_slice().first();
        first.map(|byte| Marker::from_u8(*byte)).ok_or(WireError::Truncated)
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], WireError> {
        let rest = self.rest.remaining_slice();
        let (taken, rest) = rest.split_at_checked(length as usize).ok_or(WireError::Truncated)?;
        self.rest = Bytes::new(rest);
        Ok(taken)
    }
}

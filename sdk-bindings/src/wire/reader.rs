//! From MessagePack to values.

use rhai::{Array, Dynamic, FLOAT, INT, Map};

use super::error::WireError;
use crate::blob::Blob;
use crate::limits::MAX_NESTING_LEVELS;

/// Reads MessagePack from a slice, value by value.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// True when everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes a nil if one is next, and says whether it was.
    pub fn nil(&mut self) -> bool {
        let found = self.rest.first() == Some(&0xc0);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// A truth value.
    pub fn bool(&mut self) -> Result<bool, WireError> {
        match self.tag()? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            tag => Err(WireError::Unexpected(tag)),
        }
    }

    /// An integer in any of its forms.
    pub fn int(&mut self) -> Result<INT, WireError> {
        let tag = self.tag()?;
        self.int_of(tag)?.ok_or(WireError::Unexpected(tag))
    }

    /// A float; an integer counts as one.
    pub fn float(&mut self) -> Result<FLOAT, WireError> {
        let tag = self.tag()?;
        self.float_of(tag)
    }

    /// Text.
    pub fn string(&mut self) -> Result<&'a str, WireError> {
        let tag = self.tag()?;
        let length = self.string_length(tag)?.ok_or(WireError::Unexpected(tag))?;
        self.text(length)
    }

    /// Text, or nil.
    pub fn optional_string(&mut self) -> Result<Option<&'a str>, WireError> {
        if self.nil() { Ok(None) } else { self.string().map(Some) }
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let tag = self.tag()?;
        let length = self.bytes_length(tag)?.ok_or(WireError::Unexpected(tag))?;
        self.take(length)
    }

    /// Bytes, or nil.
    pub fn optional_bytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        if self.nil() { Ok(None) } else { self.bytes().map(Some) }
    }

    /// The number of elements of an array; they follow.
    pub fn array(&mut self) -> Result<usize, WireError> {
        let tag = self.tag()?;
        self.array_length(tag)?.ok_or(WireError::Unexpected(tag))
    }

    /// The number of pairs of a map; they follow.
    pub fn map(&mut self) -> Result<usize, WireError> {
        let tag = self.tag()?;
        self.map_length(tag)?.ok_or(WireError::Unexpected(tag))
    }

    /// Any value as a Rhai value.
    pub fn value(&mut self) -> Result<Dynamic, WireError> {
        self.nested(0)
    }

    /// Any value as a part of something that the host made; see [`Blob::within`].
    pub fn part(&mut self) -> Result<Dynamic, WireError> {
        if !matches!(self.rest.first(), Some(0xc4..=0xc6)) {
            return self.value();
        }
        let bytes = self.bytes()?.to_vec();
        let whole = 0..bytes.len();
        Ok(Blob::within(bytes, whole))
    }

    fn nested(&mut self, depth: usize) -> Result<Dynamic, WireError> {
        if depth > MAX_NESTING_LEVELS {
            return Err(WireError::TooDeep);
        }
        let tag = self.tag()?;
        if let Some(length) = self.string_length(tag)? {
            return Ok(self.text(length)?.into());
        }
        if let Some(number) = self.int_of(tag)? {
            return Ok(number.into());
        }
        if let Some(count) = self.map_length(tag)? {
            let mut map = Map::new();
            for _ in 0..count {
                let key = self.string()?;
                map.insert(key.into(), self.nested(depth + 1)?);
            }
            return Ok(map.into());
        }
        if let Some(count) = self.array_length(tag)? {
            // A length that lies must not reserve memory: every element takes a byte at least.
            let mut array = Array::with_capacity(count.min(self.rest.len()));
            for _ in 0..count {
                array.push(self.nested(depth + 1)?);
            }
            return Ok(array.into());
        }
        if let Some(length) = self.bytes_length(tag)? {
            let bytes = self.take(length)?.to_vec();
            return Ok(if depth == 0 { Blob::of(bytes) } else { Blob::within(bytes, 0..length) });
        }
        match tag {
            0xc0 => Ok(Dynamic::UNIT),
            0xc2 => Ok(false.into()),
            0xc3 => Ok(true.into()),
            _ => Ok(self.float_of(tag)?.into()),
        }
    }

    fn int_of(&mut self, tag: u8) -> Result<Option<INT>, WireError> {
        Ok(Some(match tag {
            0x00..=0x7f => INT::from(tag),
            0xe0..=0xff => INT::from(tag as i8),
            0xcc => INT::from(self.tag()?),
            0xcd => INT::from(u16::from_be_bytes(self.fixed()?)),
            0xce => INT::from(u32::from_be_bytes(self.fixed()?)),
            0xcf => {
                INT::try_from(u64::from_be_bytes(self.fixed()?)).map_err(|_| WireError::Unexpected(tag))?
            }
            0xd0 => INT::from(self.tag()? as i8),
            0xd1 => INT::from(i16::from_be_bytes(self.fixed()?)),
            0xd2 => INT::from(i32::from_be_bytes(self.fixed()?)),
            0xd3 => INT::from_be_bytes(self.fixed()?),
            _ => return Ok(None),
        }))
    }

    fn float_of(&mut self, tag: u8) -> Result<FLOAT, WireError> {
        match tag {
            0xca => Ok(f32::from_be_bytes(self.fixed()?).into()),
            0xcb => Ok(f64::from_be_bytes(self.fixed()?)),
            _ => Ok(self.int_of(tag)?.ok_or(WireError::Unexpected(tag))? as FLOAT),
        }
    }

    fn string_length(&mut self, tag: u8) -> Result<Option<usize>, WireError> {
        self.length(tag, 0xa0..=0xbf, [0xd9, 0xda, 0xdb])
    }

    fn bytes_length(&mut self, tag: u8) -> Result<Option<usize>, WireError> {
        // 0xc1 is never used by MessagePack: bytes have no short form.
        #[allow(clippy::reversed_empty_ranges)]
        self.length(tag, 1..=0, [0xc4, 0xc5, 0xc6])
    }

    fn array_length(&mut self, tag: u8) -> Result<Option<usize>, WireError> {
        self.length(tag, 0x90..=0x9f, [0, 0xdc, 0xdd])
    }

    fn map_length(&mut self, tag: u8) -> Result<Option<usize>, WireError> {
        self.length(tag, 0x80..=0x8f, [0, 0xde, 0xdf])
    }

    /// The length behind `tag`: in the tag itself (`short`), or in the 1, 2 or 4 bytes that follow.
    fn length(
        &mut self,
        tag: u8,
        short: std::ops::RangeInclusive<u8>,
        [one, two, four]: [u8; 3],
    ) -> Result<Option<usize>, WireError> {
        Ok(Some(if short.contains(&tag) {
            (tag - short.start()).into()
        } else if tag == two {
            u16::from_be_bytes(self.fixed()?).into()
        } else if tag == four {
            u32::from_be_bytes(self.fixed()?) as usize
        } else if tag == one && one != 0 {
            self.tag()?.into()
        } else {
            return Ok(None);
        }))
    }

    fn text(&mut self, length: usize) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.take(length)?).map_err(|_| WireError::NotText)
    }

    fn tag(&mut self) -> Result<u8, WireError> {
        Ok(self.fixed::<1>()?[0])
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }
}

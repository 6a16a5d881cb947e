//! MessagePack, straight from and to Rhai values: what crosses the border between guest and host.
//!
//! Integers are written in their shortest form and maps in the order of their keys, so equal values have
//! equal bytes.

use std::fmt;

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};

use crate::args;
use crate::blob::Blob;

/// How deep values may be nested, in either direction.
pub const MAX_DEPTH: usize = 128;

/// Why a value cannot be written, or bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// A value of this type cannot leave the script (a function pointer, a handle, ...).
    Unsupported(String),
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The bytes end too early.
    Truncated,
    /// Another type than the one asked for, or not MessagePack.
    Unexpected(u8),
    /// Text that is not UTF-8.
    NotText,
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(name) => write!(formatter, "a value of type {name} cannot be stored or sent"),
            Self::TooDeep => write!(formatter, "nested deeper than {MAX_DEPTH} levels"),
            Self::Truncated => formatter.write_str("it ends too early"),
            Self::Unexpected(tag) => write!(formatter, "unexpected tag {tag:#04x}"),
            Self::NotText => formatter.write_str("text that is not UTF-8"),
        }
    }
}

impl std::error::Error for WireError {}

/// Writes MessagePack into a growing buffer.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self { buffer: Vec::with_capacity(128) }
    }

    /// A writer for a host call with `count` positional parameters, which must follow.
    pub fn params(count: usize) -> Self {
        let mut writer = Self::new();
        writer.array(count);
        writer
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// What has been written, as the buffer itself.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    /// Starts an array of `count` elements, which must follow.
    pub fn array(&mut self, count: usize) -> &mut Self {
        match count {
            0..=15 => self.tag(0x90 | count as u8),
            16..=0xffff => self.tag(0xdc).raw(&(count as u16).to_be_bytes()),
            _ => self.tag(0xdd).raw(&(count as u32).to_be_bytes()),
        }
    }

    /// Starts a map of `count` pairs of key and value, which must follow.
    pub fn map(&mut self, count: usize) -> &mut Self {
        match count {
            0..=15 => self.tag(0x80 | count as u8),
            16..=0xffff => self.tag(0xde).raw(&(count as u16).to_be_bytes()),
            _ => self.tag(0xdf).raw(&(count as u32).to_be_bytes()),
        }
    }

    /// Nil, the wire form of `()`.
    pub fn nil(&mut self) -> &mut Self {
        self.tag(0xc0)
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.tag(if value { 0xc3 } else { 0xc2 })
    }

    /// An integer, in its shortest form.
    pub fn int(&mut self, value: INT) -> &mut Self {
        match value {
            0..=0x7f => self.tag(value as u8),
            -32..=-1 => self.tag(value as i8 as u8),
            0x80..=0xff => self.tag(0xcc).raw(&(value as u8).to_be_bytes()),
            0x100..=0xffff => self.tag(0xcd).raw(&(value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.tag(0xce).raw(&(value as u32).to_be_bytes()),
            0x1_0000_0000.. => self.tag(0xcf).raw(&(value as u64).to_be_bytes()),
            -0x80..=-33 => self.tag(0xd0).raw(&(value as i8).to_be_bytes()),
            -0x8000..=-0x81 => self.tag(0xd1).raw(&(value as i16).to_be_bytes()),
            -0x8000_0000..=-0x8001 => self.tag(0xd2).raw(&(value as i32).to_be_bytes()),
            _ => self.tag(0xd3).raw(&value.to_be_bytes()),
        }
    }

    /// A float of 64 bits.
    pub fn float(&mut self, value: FLOAT) -> &mut Self {
        self.tag(0xcb).raw(&value.to_be_bytes())
    }

    /// Text.
    pub fn string(&mut self, value: &str) -> &mut Self {
        match value.len() {
            length @ 0..=31 => self.tag(0xa0 | length as u8),
            length @ 32..=0xff => self.tag(0xd9).tag(length as u8),
            length @ 0x100..=0xffff => self.tag(0xda).raw(&(length as u16).to_be_bytes()),
            length => self.tag(0xdb).raw(&(length as u32).to_be_bytes()),
        };
        self.raw(value.as_bytes())
    }

    /// Text, or nil.
    pub fn optional_string(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(text) => self.string(text),
            None => self.nil(),
        }
    }

    /// An integer, or nil.
    pub fn optional_int(&mut self, value: Option<INT>) -> &mut Self {
        match value {
            Some(number) => self.int(number),
            None => self.nil(),
        }
    }

    /// Bytes, or nil.
    pub fn optional_bytes(&mut self, value: Option<&[u8]>) -> &mut Self {
        match value {
            Some(bytes) => self.bytes(bytes),
            None => self.nil(),
        }
    }

    /// Bytes.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        match value.len() {
            length @ 0..=0xff => self.tag(0xc4).tag(length as u8),
            length @ 0x100..=0xffff => self.tag(0xc5).raw(&(length as u16).to_be_bytes()),
            length => self.tag(0xc6).raw(&(length as u32).to_be_bytes()),
        };
        self.raw(value)
    }

    /// A Rhai value, in place.
    pub fn value(&mut self, value: &Dynamic) -> Result<&mut Self, WireError> {
        self.nested(value, 0)?;
        Ok(self)
    }

    /// A `value` parameter of a host call: the value's MessagePack carried inside bytes, so that the host
    /// can store it without reading it.
    pub fn packed(&mut self, value: &Dynamic) -> Result<&mut Self, WireError> {
        self.tag(0xc6);
        let start = self.buffer.len();
        self.raw(&[0; 4]).nested(value, 0)?;
        let length = (self.buffer.len() - start - 4) as u32;
        self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(self)
    }

    fn nested(&mut self, value: &Dynamic, depth: usize) -> Result<(), WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        if let Ok(number) = value.as_int() {
            self.int(number);
        } else if value.is_unit() {
            self.nil();
        } else if let Ok(truth) = value.as_bool() {
            self.bool(truth);
        } else if let Ok(number) = value.as_float() {
            self.float(number);
        } else if let Ok(letter) = value.as_char() {
            self.string(letter.encode_utf8(&mut [0; 4]));
        } else if let Some(text) = value.read_lock::<ImmutableString>() {
            self.string(&text);
        } else if let Some(map) = value.read_lock::<Map>() {
            self.map(map.len());
            for (key, item) in map.iter() {
                self.string(key).nested(item, depth + 1)?;
            }
        } else if let Some(array) = value.read_lock::<Array>() {
            self.array(array.len());
            for item in array.iter() {
                self.nested(item, depth + 1)?;
            }
        } else {
            let unsupported = || WireError::Unsupported(args::type_name(value.type_name()));
            Blob::lend(value, |bytes| {
                self.bytes(bytes);
            })
            .ok_or_else(unsupported)?;
        }
        Ok(())
    }

    /// A value that is MessagePack already.
    pub fn raw_value(&mut self, encoded: &[u8]) -> &mut Self {
        self.raw(encoded)
    }

    fn tag(&mut self, byte: u8) -> &mut Self {
        self.buffer.push(byte);
        self
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.buffer.extend_from_slice(bytes);
        self
    }
}

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

    fn nested(&mut self, depth: usize) -> Result<Dynamic, WireError> {
        if depth > MAX_DEPTH {
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

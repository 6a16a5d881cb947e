//! From values to MessagePack.

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};

use super::error::WireError;
use crate::blob::Blob;
use crate::error::type_name;
use crate::limits::MAX_NESTING_LEVELS;

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
        if depth > MAX_NESTING_LEVELS {
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
            let unsupported = || WireError::Unsupported(type_name(value.type_name()));
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

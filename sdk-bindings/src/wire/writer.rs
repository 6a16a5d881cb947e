//! Writing MessagePack.

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};
use rmp::Marker;
use rmp::encode::{self, ByteBuf};

use super::error::WireError;
use crate::blob::Blob;
use crate::error::type_name;
use crate::limits::MAX_NESTING_LEVELS;

/// Writes MessagePack into a growing buffer.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: ByteBuf,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self { buffer: ByteBuf::with_capacity(128) }
    }

    /// A writer for a host call with `count` positional parameters, which must follow.
    pub fn params(count: usize) -> Self {
        let mut writer = Self::new();
        writer.array(count);
        writer
    }

    /// Makes room for `bytes` more bytes at once: a buffer that grows by itself doubles.
    pub fn reserve(&mut self, bytes: usize) {
        self.buffer.as_mut_vec().reserve_exact(bytes);
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// What has been written, as the buffer itself.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer.into_vec()
    }

    /// Starts an array of `count` elements, which must follow.
    pub fn array(&mut self, count: usize) -> &mut Self {
        let Ok(_) = encode::write_array_len(&mut self.buffer, count as u32);
        self
    }

    /// Starts a map of `count` pairs of key and value, which must follow.
    pub fn map(&mut self, count: usize) -> &mut Self {
        let Ok(_) = encode::write_map_len(&mut self.buffer, count as u32);
        self
    }

    /// Nil, the wire form of `()`.
    pub fn nil(&mut self) -> &mut Self {
        let Ok(()) = encode::write_nil(&mut self.buffer);
        self
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        let Ok(()) = encode::write_bool(&mut self.buffer, value);
        self
    }

    /// An integer, in its shortest form.
    pub fn int(&mut self, value: INT) -> &mut Self {
        let Ok(_) = encode::write_sint(&mut self.buffer, value);
        self
    }

    /// A float of 64 bits.
    pub fn float(&mut self, value: FLOAT) -> &mut Self {
        let Ok(()) = encode::write_f64(&mut self.buffer, value);
        self
    }

    /// Text.
    pub fn string(&mut self, value: &str) -> &mut Self {
        let Ok(()) = encode::write_str(&mut self.buffer, value);
        self
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
        let Ok(()) = encode::write_bin(&mut self.buffer, value);
        self
    }

    /// A Rhai value, in place.
    pub fn value(&mut self, value: &Dynamic) -> Result<&mut Self, WireError> {
        self.nested(value, 0)?;
        Ok(self)
    }

    /// A `value` parameter of a host call: the value's MessagePack carried inside bytes, so that the host
    /// can store it without reading it.
    pub fn packed(&mut self, value: &Dynamic) -> Result<&mut Self, WireError> {
        // The length is filled in once the value is written.
        self.raw(&[Marker::Bin32.to_u8(), 0, 0, 0, 0]);
        let start = self.as_bytes().len();
        self.nested(value, 0)?;
        let buffer = self.buffer.as_mut_vec();
        let length = (buffer.len() - start) as u32;
        buffer[start - 4..start].copy_from_slice(&length.to_be_bytes());
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
            Blob::with_bytes(value, |bytes| {
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

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.buffer.as_mut_vec().extend_from_slice(bytes);
        self
    }
}

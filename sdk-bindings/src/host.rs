//! A call from the guest to the host: MessagePack parameters out, a [`Reply`] back.
//!
//! Every import has the shape `(pointer, length) -> i64`. The low half of the result is the length of the
//! reply; the two flags above it say that the reply is an error message, and that it was too long for the
//! reply buffer and waits to be taken.

use std::ops::Range;

use rhai::{Dynamic, EvalAltResult, ImmutableString, Position};

use crate::wire::{Reader, WireError, Writer};

/// Replies up to this many bytes are written by the host straight into [`reply_buffer`].
pub const REPLY_CAPACITY: usize = 64 * 1024;

/// One function of the host, as declared in `interface.toml`. Made with [`import!`](crate::import).
pub struct Import {
    /// The name in `interface.toml`, for example `kv_get`.
    pub name: &'static str,
    /// The imported function itself.
    #[cfg(target_arch = "wasm32")]
    pub entry: unsafe extern "C" fn(*const u8, usize) -> i64,
}

/// Declares an import of the host: `import!(GET, "kv_get");` makes a `static GET: Import`.
#[macro_export]
macro_rules! import {
    ($constant:ident, $name:literal) => {
        static $constant: $crate::host::Import = {
            #[cfg(target_arch = "wasm32")]
            #[link(wasm_import_module = "picloud")]
            unsafe extern "C" {
                #[link_name = $name]
                fn entry(pointer: *const u8, length: usize) -> i64;
            }
            $crate::host::Import {
                name: $name,
                #[cfg(target_arch = "wasm32")]
                entry,
            }
        };
    };
}

/// Calls the host and waits for its answer.
///
/// `function` is the script's name of what is running (`kv::get`); an error of the host is thrown with it in
/// front. `params` holds the positional parameters as one MessagePack array (see [`Writer::params`]).
pub fn call(import: &Import, function: &str, params: &Writer) -> Result<Reply, Box<EvalAltResult>> {
    match transport(import, params.as_bytes()) {
        (false, bytes) => Ok(Reply { bytes, import: import.name }),
        (true, bytes) => {
            let message = Reader::new(bytes.as_slice()).string().unwrap_or("failed");
            Err(fail(function, message))
        }
    }
}

/// The error a script sees: `function: message`. The interpreter adds the position of the call.
pub fn fail(function: &str, message: impl std::fmt::Display) -> Box<EvalAltResult> {
    let text: ImmutableString = format!("{function}: {message}").into();
    EvalAltResult::ErrorRuntime(text.into(), Position::NONE).into()
}

/// What the host answered: one MessagePack value. Read it before the next host call.
pub struct Reply {
    bytes: Bytes,
    import: &'static str,
}

impl Reply {
    /// The raw MessagePack.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// A `value`, `map` or `list` result; nil is `()`.
    pub fn value(&self) -> Result<Dynamic, Box<EvalAltResult>> {
        self.read(|reader| reader.value())
    }

    /// An `int` result.
    pub fn int(&self) -> Result<rhai::INT, Box<EvalAltResult>> {
        self.read(|reader| reader.int())
    }

    /// A `float` result.
    pub fn float(&self) -> Result<rhai::FLOAT, Box<EvalAltResult>> {
        self.read(|reader| reader.float())
    }

    /// A `bool` result.
    pub fn bool(&self) -> Result<bool, Box<EvalAltResult>> {
        self.read(|reader| reader.bool())
    }

    /// A `string` result.
    pub fn string(&self) -> Result<ImmutableString, Box<EvalAltResult>> {
        self.read(|reader| reader.string().map(Into::into))
    }

    /// A `string?` result.
    pub fn optional_string(&self) -> Result<Option<&str>, Box<EvalAltResult>> {
        self.read(|reader| reader.optional_string())
    }

    /// A `bytes` result.
    pub fn bytes(&self) -> Result<&[u8], Box<EvalAltResult>> {
        self.read(|reader| reader.bytes())
    }

    /// A `bytes?` result.
    pub fn optional_bytes(&self) -> Result<Option<&[u8]>, Box<EvalAltResult>> {
        self.read(|reader| reader.optional_bytes())
    }

    /// Where `part`, which was read from this reply, lies in it.
    pub fn range(&self, part: &[u8]) -> Range<usize> {
        let start = part.as_ptr() as usize - self.as_bytes().as_ptr() as usize;
        start..start + part.len()
    }

    /// The raw MessagePack, to keep.
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
    ) -> Result<T, Box<EvalAltResult>> {
        decode(&mut Reader::new(self.as_bytes()))
            .map_err(|error| fail(self.import, format_args!("unreadable reply of the host: {error}")))
    }
}

/// A reply lies in the reply buffer, or in memory of its own when it is longer than that.
enum Bytes {
    #[cfg(target_arch = "wasm32")]
    Buffer(&'static [u8]),
    Owned(Vec<u8>),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            #[cfg(target_arch = "wasm32")]
            Bytes::Buffer(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

#[cfg(target_arch = "wasm32")]
pub use wasm::reply_buffer;
#[cfg(target_arch = "wasm32")]
use wasm::transport;

#[cfg(target_arch = "wasm32")]
mod wasm {
    use super::{Bytes, Import, REPLY_CAPACITY};

    const ERROR: i64 = 1 << 32;
    const DEFERRED: i64 = 1 << 33;

    /// Never initialised, so that it costs nothing in the module or in an image.
    static mut REPLY: [u8; REPLY_CAPACITY] = [0; REPLY_CAPACITY];

    crate::import!(REPLY_TAKE, "reply_take");

    /// Where the host writes replies: the address; the size is [`REPLY_CAPACITY`].
    pub fn reply_buffer() -> *mut u8 {
        (&raw mut REPLY).cast()
    }

    /// Calls the import; says whether the reply is an error, and gives its bytes.
    pub fn transport(import: &Import, params: &[u8]) -> (bool, Bytes) {
        // SAFETY: the host reads `params` and writes at most REPLY_CAPACITY bytes to the reply buffer.
        let result = unsafe { (import.entry)(params.as_ptr(), params.len()) };
        let length = (result & 0xffff_ffff) as usize;
        if result & DEFERRED == 0 {
            let length = length.min(REPLY_CAPACITY);
            // SAFETY: within the buffer; nothing writes there until the next host call.
            let bytes = unsafe { std::slice::from_raw_parts(reply_buffer(), length) };
            return (result & ERROR != 0, Bytes::Buffer(bytes));
        }
        let mut bytes: Vec<u8> = Vec::with_capacity(length);
        // SAFETY: the host writes at most `length` bytes and returns how many it wrote.
        let result = unsafe { (REPLY_TAKE.entry)(bytes.as_mut_ptr(), length) };
        let written = (result & 0xffff_ffff) as usize;
        // SAFETY: those were just written.
        unsafe { bytes.set_len(written.min(length)) };
        (result & ERROR != 0, Bytes::Owned(bytes))
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn transport(import: &Import, params: &[u8]) -> (bool, Bytes) {
    match crate::native::call(import.name, params) {
        Ok(bytes) => (false, Bytes::Owned(bytes)),
        Err(message) => {
            let mut writer = Writer::new();
            writer.string(&message);
            (true, Bytes::Owned(writer.into_bytes()))
        }
    }
}

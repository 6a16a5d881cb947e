//! Host calls of the guest: imports of WebAssembly, and the buffer for their replies.

use super::import::{Import, import};
use super::reply::Bytes;

/// Replies up to this many bytes are written by the host straight into [`reply_buffer`].
pub const REPLY_CAPACITY: usize = 64 * 1024;

const ERROR: i64 = 1 << 32;
const DEFERRED: i64 = 1 << 33;

/// Zero, so that it takes no space in the module or in an image.
static mut REPLY: [u8; REPLY_CAPACITY] = [0; REPLY_CAPACITY];

import!(REPLY_TAKE, "reply_take");

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

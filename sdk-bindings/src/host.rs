//! A call from the guest to the host: MessagePack parameters out, a [`Reply`] back.
//!
//! Every import has the type `(pointer, length) -> i64`. Bits 0 to 31 of the result are the length of the reply.
//! Bit 32 is set when the reply is an error message, and bit 33 when it is longer than the reply buffer and must be
//! fetched with `reply_take`.

mod import;
#[cfg(not(target_arch = "wasm32"))]
mod installed;
mod reply;
#[cfg(target_arch = "wasm32")]
mod wasm;

use crate::error::{Thrown, fail};
use crate::wire::{Reader, Writer};

pub use import::Import;
pub(crate) use import::import;
pub use reply::Reply;

#[cfg(not(target_arch = "wasm32"))]
use installed::transport;
#[cfg(not(target_arch = "wasm32"))]
pub use installed::{Host, install, is_installed};
#[cfg(target_arch = "wasm32")]
use wasm::transport;
#[cfg(target_arch = "wasm32")]
pub use wasm::{REPLY_CAPACITY, reply_buffer};

/// Calls the host and waits for its answer.
///
/// `function` is the function the script called, such as `kv::get`; an error from the host is thrown with it in
/// front. `params` holds the positional parameters as one MessagePack array (see [`Writer::params`]).
pub fn call(import: &Import, function: &str, params: &Writer) -> Result<Reply, Thrown> {
    match transport(import, params.as_bytes()) {
        (false, bytes) => Ok(Reply::new(bytes, import.name)),
        (true, bytes) => {
            let message = Reader::new(bytes.as_slice()).string().unwrap_or("failed");
            Err(fail(function, message))
        }
    }
}

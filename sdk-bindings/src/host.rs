//! A call from the guest to the host: MessagePack parameters out, a [`Reply`] back.
//!
//! Every import has the shape `(pointer, length) -> i64`. The low half of the result is the length of the
//! reply; the two flags above it say that the reply is an error message, and that it was too long for the
//! reply buffer and waits to be taken.

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
/// `function` is the script's name of what is running (`kv::get`); an error of the host is thrown with it in
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

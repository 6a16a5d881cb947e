//! Blobs that are longer than `max_array_size`.
//!
//! Rhai counts the bytes of its native blobs as elements of an array, so a native blob cannot have more than
//! `max_array_size` bytes. A longer one reaches a script as [`Blob`]. It has the same type name and the same methods
//! for reading, is read-only, and counts against the memory of the script only. Parts extracted from it share its
//! memory.

mod methods;
mod value;

pub use methods::register;
pub use value::{Blob, set_max_native_length};

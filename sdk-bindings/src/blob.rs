//! Blobs that are longer than the interpreter's own may be.
//!
//! Rhai counts the bytes of a blob as elements of an array, so that one of more than `max_array_size` bytes cannot
//! be used at all. Such a blob reaches a script as [`Blob`]: it is called "blob" like the other and read like it, it
//! cannot be changed, and it is not measured, since the memory of the script bounds it anyway. What is cut out of one
//! shares its memory.

mod methods;
mod value;

pub use methods::register;
pub use value::{Blob, set_longest};

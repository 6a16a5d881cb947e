//! MessagePack, read and written as Rhai values: the format of all data between guest and host.
//!
//! Integers are written in their shortest form and maps in the order of their keys, so equal values have
//! equal bytes.

mod error;
mod reader;
mod writer;

pub use error::WireError;
pub use reader::Reader;
pub use writer::Writer;

//! What MessagePack cannot carry, and bytes that are not MessagePack.

use std::fmt;

use crate::limits::MAX_NESTING_LEVELS;

/// Why a value cannot be written, or bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// A value of this type cannot leave the script (a function pointer, a handle, ...).
    Unsupported(String),
    /// Nested deeper than [`MAX_NESTING_LEVELS`].
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
            Self::TooDeep => write!(formatter, "nested deeper than {MAX_NESTING_LEVELS} levels"),
            Self::Truncated => formatter.write_str("it ends too early"),
            Self::Unexpected(tag) => write!(formatter, "unexpected tag {tag:#04x}"),
            Self::NotText => formatter.write_str("text that is not UTF-8"),
        }
    }
}

impl std::error::Error for WireError {}

//! Errors of reading and writing MessagePack.

use std::fmt;

use rmp::Marker;
use rmp::decode::bytes::BytesReadError;
use rmp::decode::{NumValueReadError, ValueReadError};

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
            Self::Truncated => formatter.write_str("unexpected end of data"),
            Self::Unexpected(tag) => write!(formatter, "unexpected tag {tag:#04x}"),
            Self::NotText => formatter.write_str("invalid UTF-8"),
        }
    }
}

impl std::error::Error for WireError {}

impl From<ValueReadError<BytesReadError>> for WireError {
    fn from(error: ValueReadError<BytesReadError>) -> Self {
        match error {
            ValueReadError::TypeMismatch(marker) => Self::Unexpected(marker.to_u8()),
            ValueReadError::InvalidMarkerRead(_) | ValueReadError::InvalidDataRead(_) => Self::Truncated,
        }
    }
}

impl From<NumValueReadError<BytesReadError>> for WireError {
    fn from(error: NumValueReadError<BytesReadError>) -> Self {
        match error {
            NumValueReadError::TypeMismatch(marker) => Self::Unexpected(marker.to_u8()),
            // Of all forms of an integer, only this one can be too large.
            NumValueReadError::OutOfRange => Self::Unexpected(Marker::U64.to_u8()),
            NumValueReadError::InvalidMarkerRead(_) | NumValueReadError::InvalidDataRead(_) => {
                Self::Truncated
            }
        }
    }
}

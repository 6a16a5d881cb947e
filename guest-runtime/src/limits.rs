//! The limits that the interpreter enforces.

use picloud_sdk::{
    blob, limits,
    wire::{Reader, WireError},
};
use rhai::Engine;

/// The limits of a script. The host enforces fuel, memory and time in addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub max_operations: u64,
    pub max_string_size: usize,
    pub max_array_size: usize,
    pub max_map_size: usize,
    pub max_call_levels: usize,
    pub max_expr_depth: usize,
    pub max_import_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_operations: limits::DEFAULT_MAX_OPERATIONS as u64,
            max_string_size: limits::DEFAULT_MAX_STRING_SIZE,
            max_array_size: limits::DEFAULT_MAX_ARRAY_SIZE,
            max_map_size: limits::DEFAULT_MAX_MAP_SIZE,
            max_call_levels: limits::DEFAULT_MAX_CALL_LEVELS,
            max_expr_depth: limits::DEFAULT_MAX_EXPR_DEPTH,
            max_import_depth: limits::DEFAULT_MAX_IMPORT_DEPTH,
        }
    }
}

impl Limits {
    /// Reads a MessagePack map; missing limits keep their defaults.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut limits = Self::default();
        for _ in 0..reader.map()? {
            let name = reader.string()?;
            // A limit of zero would mean "none" to the engine.
            let value = reader.int()?.clamp(1, i64::from(i32::MAX));
            let size = value as usize;
            match name {
                "max_operations" => limits.max_operations = value as u64,
                "max_string_size" => limits.max_string_size = size,
                "max_array_size" => limits.max_array_size = size,
                "max_map_size" => limits.max_map_size = size,
                "max_call_levels" => limits.max_call_levels = size,
                "max_expr_depth" => limits.max_expr_depth = size,
                "max_import_depth" => limits.max_import_depth = size,
                _ => {}
            }
        }
        Ok(limits)
    }

    /// Applies them to `engine` and the SDK.
    pub fn apply(&self, engine: &mut Engine) {
        blob::set_max_native_length(self.max_array_size);
        engine
            .set_max_operations(self.max_operations)
            .set_max_string_size(self.max_string_size)
            .set_max_array_size(self.max_array_size)
            .set_max_map_size(self.max_map_size)
            .set_max_call_levels(self.max_call_levels)
            .set_max_expr_depths(self.max_expr_depth, self.max_expr_depth);
    }
}

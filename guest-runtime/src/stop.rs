//! How the host ends a script at its next operation, where the error has a place.

use std::sync::atomic::{AtomicU32, Ordering};

use rhai::{Dynamic, Engine};

static STOP: AtomicU32 = AtomicU32::new(0);

/// The address of a `u32`; when the host has written 1 there, the script ends with an error that it cannot catch.
#[cfg(target_arch = "wasm32")]
pub fn address() -> *const u32 {
    STOP.as_ptr()
}

/// Makes scripts of the engine look there before each operation.
pub fn register(engine: &mut Engine) {
    engine.on_progress(|_| (STOP.load(Ordering::Relaxed) != 0).then_some(Dynamic::UNIT));
}

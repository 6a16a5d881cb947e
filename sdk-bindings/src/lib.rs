//! What a PiCloud script can call: one file per namespace, all of them over the host call of [`host`].
//!
//! Adding a function of the host: declare it in `interface.toml`, and register it in the namespace's file.

pub mod host;
pub mod json;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod wire;

mod args;
mod base64;
mod crypto;
mod hex;
pub mod kv;
mod log;
mod random;
mod regex;
#[cfg(test)]
mod testing;
mod time;
mod url;

use rhai::Engine;

/// Version of the script interface, which a script reads as `ctx.sdk_version`.
pub const SDK_VERSION: &str = "0.1";

/// The text of `interface.toml`.
pub const INTERFACE: &str = include_str!("../interface.toml");

/// Registers every namespace with `engine`.
pub fn register(engine: &mut Engine) {
    log::register(engine);
    time::register(engine);
    random::register(engine);
    json::register(engine);
    base64::register(engine);
    hex::register(engine);
    url::register(engine);
    regex::register(engine);
    crypto::register(engine);
    kv::register(engine);
}

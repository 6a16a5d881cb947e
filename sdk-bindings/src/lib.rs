//! What a PiCloud script can call: one file per namespace, all of them over the host call of [`host`].
//!
//! Adding a function of the host: declare it in `interface.toml`, and register it in the namespace's file.

pub mod blob;
pub mod body;
pub mod files;
pub mod host;
pub mod http;
pub mod json;
pub mod kv;
pub mod module;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod request;
pub mod wire;

mod args;
mod base64;
mod crypto;
mod docs;
mod document;
mod error;
mod handle;
mod hex;
mod log;
mod random;
mod regex;
mod sizes;
#[cfg(test)]
mod testing;
mod time;
mod url;

pub use error::type_name;

use rhai::Engine;

/// Version of the script interface, which a script reads as `ctx.sdk_version`.
pub const SDK_VERSION: &str = "0.3";

/// The text of `interface.toml`.
pub const INTERFACE: &str = include_str!("../interface.toml");

/// The namespaces, which no module can be named as.
pub const NAMESPACES: [&str; 15] = [
    "base64", "crypto", "docs", "files", "hex", "http", "json", "kv", "log", "module", "random", "regex",
    "request", "time", "url",
];

/// Registers every namespace with `engine`, and what a script can do with a blob of any length.
pub fn register(engine: &mut Engine) {
    blob::register(engine);
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
    docs::register(engine);
    files::register(engine);
    http::register(engine);
    request::register(engine);
}

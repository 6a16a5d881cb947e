//! What a PiCloud script can call: one file per namespace, all of them over the host call of [`host`].
//!
//! `build.rs` makes the imports, the limits and the registration from `interface.toml`. To add a namespace, add its
//! entries there and a file with a function `register` here, with its `mod` line below.

pub mod blob;
pub mod body;
pub mod files;
pub mod host;
pub mod http;
pub mod json;
pub mod kv;
pub mod limits;
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
mod imports;
mod log;
mod random;
mod regex;
mod sizes;
#[cfg(test)]
mod testing;
mod time;
mod url;
mod vars;

pub use error::type_name;

// The versions, `NAMESPACES` and `register_namespaces`.
include!(concat!(env!("OUT_DIR"), "/namespaces.rs"));

/// Registers every namespace with `engine`, and what a script can do with a blob of any length.
pub fn register(engine: &mut rhai::Engine) {
    blob::register(engine);
    register_namespaces(engine);
}

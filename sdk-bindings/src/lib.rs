//! The functions a PiCloud script can call: one file per namespace, all of them based on the host calls of [`host`].
//!
//! `build.rs` generates the imports, the limits and the registration from `interface.toml`. To add a namespace, add its
//! entries there, a file with a function `register` here, and its `mod` line below.

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
pub mod shown;
pub mod wire;

mod args;
mod base64;
mod crypto;
mod data_size;
mod docs;
mod envelope;
mod error;
mod handle;
mod hex;
mod imports;
mod log;
mod page;
mod random;
mod regex;
mod sizes;
mod stored_json;
#[cfg(test)]
mod testing;
mod time;
mod url;
mod vars;

pub use error::type_name;

// The versions, `NAMESPACES` and `register_namespaces`.
include!(concat!(env!("OUT_DIR"), "/namespaces.rs"));

/// Registers every namespace and long blobs with `engine`.
pub fn register(engine: &mut rhai::Engine) {
    blob::register(engine);
    register_namespaces(engine);
}

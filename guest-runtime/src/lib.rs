//! The guest of PiCloud: the Rhai interpreter behind a small binary interface.
//!
//! [`Interpreter`] does the work and knows nothing of WebAssembly, so it is tested natively; `abi` puts it
//! behind the exports that the host calls. See `README.md` for the interface.

#[cfg(target_arch = "wasm32")]
mod abi;
mod compile;
mod engine;
mod failure;
mod interpreter;
mod limits;
mod modules;
mod request;
mod response;
mod run;

pub use interpreter::Interpreter;

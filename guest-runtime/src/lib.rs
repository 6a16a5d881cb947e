//! The guest of PiCloud: the Rhai interpreter behind a small binary interface.
//!
//! [`Interpreter`] does the work and knows nothing of WebAssembly, so it is tested natively; `abi` puts it
//! behind the exports that the host calls. See `README.md` for the interface.

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(target_arch = "wasm32")]
mod allocator;
mod callbacks;
mod compile;
mod engine;
mod failure;
mod grain;
mod interpreter;
mod limits;
mod modules;
mod pad;
pub mod panic;
mod parse;
mod request;
mod response;
mod scratch;
mod script;
mod stop;
mod text;

pub use compile::{Source, compile_modules};
pub use engine::engine;
pub use failure::Failure;
pub use interpreter::Interpreter;
pub use limits::Limits;
pub use modules::{Library, Resolver};
pub use parse::parse;
pub use script::Script;

//! `request::` the parts of the request that are not in `ctx`.

use std::ops::Range;

use rhai::{Dynamic, Engine, FuncRegistration, Module};

use crate::blob::Blob;
use crate::error::Thrown;
use crate::host;
use crate::imports::request::BODY;
use crate::wire::Writer;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    FuncRegistration::new("body_raw").with_volatility(true).set_into_module(&mut module, || {
        let (reply, body) = fetch("request::body_raw")?;
        Ok::<_, Thrown>(Blob::part(reply, body))
    });
    engine.register_static_module("request", module.into());
}

/// The body of the request: the host's reply, and the range of the body in it.
///
/// # Panics
///
/// When the host returns an error, which it does not do for this function.
pub fn body() -> (Vec<u8>, Range<usize>) {
    fetch("request::body_raw").expect("the host gives the body of a request")
}

/// The body of the request as a blob that is fetched when a script reads it.
pub fn late_body(length: usize) -> Dynamic {
    Blob::late(length, body)
}

/// True if a value is the whole body of the request, which the host has as well.
pub fn is_body(value: &Dynamic) -> bool {
    Blob::is_late(value)
}

fn fetch(function: &str) -> Result<(Vec<u8>, Range<usize>), Thrown> {
    let reply = host::call(&BODY, function, &Writer::params(0))?;
    let body = reply.range(reply.bytes()?);
    Ok((reply.into_vec(), body))
}

#[cfg(test)]
mod tests {
    use crate::host::{Host, install};
    use crate::native::MemoryHost;
    use crate::testing::{eval, eval_with};

    #[test]
    fn the_raw_body_is_a_blob_of_any_length() {
        for length in [0, 10, 10_000, 10_001, 5_000_000] {
            install(MemoryHost::with_request_body(vec![7; length]));
            let script = "let b = request::body_raw(); if type_of(b) == \"blob\" { b.len() } else { -1 }";
            assert_eq!(eval::<i64>(script), length as i64);
        }
    }

    /// A host that does not give the body to the guest.
    struct KeepsBody(MemoryHost);

    impl Host for KeepsBody {
        fn call(&mut self, import: &str, params: &[u8]) -> Result<Vec<u8>, String> {
            assert_ne!(import, "request_body");
            self.0.call(import, params)
        }
    }

    #[test]
    fn a_whole_body_is_stored_without_fetching_it() {
        let _ = eval::<i64>("1");
        install(KeepsBody(MemoryHost::with_request_body(vec![7; 20_000])));
        let script = "files::collection(\"c\").create(#{ name: \"a\", data: x }).size == 20000";
        assert!(eval_with::<bool>(script, super::late_body(20_000)));
    }
}

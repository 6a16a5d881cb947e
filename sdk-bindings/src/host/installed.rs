//! Host calls of a native build: a host that a test or a benchmark installed for its thread.

use std::cell::RefCell;

use super::import::Import;
use super::reply::Bytes;
use crate::wire::Writer;

/// Answers host calls: the import's name and its MessagePack parameters in, the reply or an error message out.
pub trait Host {
    /// One host call.
    fn call(&mut self, import: &str, params: &[u8]) -> Result<Vec<u8>, String>;
}

thread_local! {
    static HOST: RefCell<Option<Box<dyn Host>>> = const { RefCell::new(None) };
}

/// Installs `host` for this thread, in place of the one before.
pub fn install(host: impl Host + 'static) {
    HOST.set(Some(Box::new(host)));
}

/// Whether this thread has a host.
pub fn is_installed() -> bool {
    HOST.with_borrow(Option::is_some)
}

/// Calls the installed host; says whether the reply is an error, and gives its bytes.
pub(super) fn transport(import: &Import, params: &[u8]) -> (bool, Bytes) {
    let answer = HOST.with_borrow_mut(|host| match host {
        Some(host) => host.call(import.name, params),
        None => Err("no host is installed".into()),
    });
    match answer {
        Ok(bytes) => (false, Bytes::Owned(bytes)),
        Err(message) => {
            let mut writer = Writer::new();
            writer.string(&message);
            (true, Bytes::Owned(writer.into_bytes()))
        }
    }
}

//! The Rhai engine as every script finds it.

use rhai::{
    Engine,
    packages::{Package, StandardPackage},
};

use crate::{
    callbacks,
    modules::{Library, Resolver},
    text,
};

/// An engine with the language's standard packages and the SDK, resolving imports from `library`.
pub fn engine(library: &Library) -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_module_resolver(Resolver::new(library.clone()));
    for keyword in ["eval", "sleep"] {
        engine.disable_symbol(keyword);
    }
    callbacks::register(&mut engine);
    text::register(&mut engine);
    picloud_sdk::register(&mut engine);
    engine
}

//! The Rhai engine as every script finds it.

use rhai::{
    Engine, EvalAltResult, FLOAT, INT,
    packages::{Package, StandardPackage},
};

use crate::{
    callbacks,
    modules::{Library, Resolver},
    text,
};

const NO_SLEEP: &str = "sleep is off";

/// An engine with the language's standard packages and the SDK, resolving imports from `library`.
pub fn engine(library: &Library) -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_module_resolver(Resolver::new(library.clone()));
    engine.disable_symbol("eval");
    // A function of a package, so no symbol to disable; and there is nothing to sleep on in here.
    engine.register_fn("sleep", |_: INT| -> Result<(), Box<EvalAltResult>> { Err(NO_SLEEP.into()) });
    engine.register_fn("sleep", |_: FLOAT| -> Result<(), Box<EvalAltResult>> { Err(NO_SLEEP.into()) });
    callbacks::register(&mut engine);
    text::register(&mut engine);
    picloud_sdk::register(&mut engine);
    engine
}

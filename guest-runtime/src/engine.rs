//! The Rhai engine that scripts run on.

use rhai::{
    Engine, EvalAltResult, FLOAT, INT, OptimizationLevel,
    packages::{Package, StandardPackage},
};

use crate::{
    callbacks,
    modules::{Library, Resolver},
    pad, stop, text,
};

const NO_SLEEP: &str = "sleep is not available";

/// An engine with Rhai's standard packages and the SDK, which resolves imports from `library`.
pub fn engine(library: &Library) -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_module_resolver(Resolver::new(library.clone()));
    engine.disable_symbol("eval");
    // A function of a package, so no symbol to disable; and there is nothing to sleep on in here.
    engine.register_fn("sleep", |_: INT| -> Result<(), Box<EvalAltResult>> { Err(NO_SLEEP.into()) });
    engine.register_fn("sleep", |_: FLOAT| -> Result<(), Box<EvalAltResult>> { Err(NO_SLEEP.into()) });
    name_types(&mut engine);
    callbacks::register(&mut engine);
    pad::register(&mut engine);
    stop::register(&mut engine);
    text::register(&mut engine);
    picloud_sdk::register(&mut engine);
    engine
}

/// Registers the common types under their own names.
///
/// Rhai looks up the name of a value's type at every method call, first among the registered types of all modules and
/// only then among its own. Registered names are found sooner.
fn name_types(engine: &mut Engine) {
    for name in ["string", "array", "map", "blob", "i64"] {
        engine.register_type_with_name_raw(name, name);
    }
}

#[cfg(test)]
mod tests {
    use super::engine;
    use crate::modules::Library;

    #[test]
    fn types_have_the_names_of_the_language() {
        let named = engine(&Library::default());
        let plain = rhai::Engine::new();
        for value in ["\"text\"", "[1]", "#{}", "blob()", "1", "1.5", "()", "'c'", "true", "|| 1", "0..1"] {
            let script = format!("type_of({value})");
            assert_eq!(named.eval::<String>(&script).unwrap(), plain.eval::<String>(&script).unwrap());
        }
    }
}

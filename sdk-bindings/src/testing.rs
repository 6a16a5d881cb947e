//! Running script text in unit tests, with the limits that scripts have by default.

use proptest::prelude::*;
use rhai::{Dynamic, Engine, EvalAltResult, Map, Scope, Variant};

use crate::error::Thrown;
use crate::host;
use crate::limits;
use crate::native::MemoryHost;

/// An engine as a script finds it, on a fresh [`MemoryHost`] unless the thread has a host.
pub fn engine() -> Engine {
    if !host::is_installed() {
        host::install(MemoryHost::default());
    }
    let mut engine = Engine::new();
    engine.set_max_string_size(limits::DEFAULT_MAX_STRING_SIZE);
    engine.set_max_array_size(limits::DEFAULT_MAX_ARRAY_SIZE);
    crate::blob::set_max_native_length(limits::DEFAULT_MAX_ARRAY_SIZE);
    engine.set_max_map_size(limits::DEFAULT_MAX_MAP_SIZE);
    crate::register(&mut engine);
    engine
}

thread_local! {
    static ENGINE: Engine = engine();
}

/// The result of `script`.
pub fn eval<T: Variant + Clone>(script: &str) -> T {
    ENGINE.with(|engine| engine.eval(script)).unwrap_or_else(|error| panic!("{script}: {error}"))
}

/// The result of `script` with `x` in scope.
pub fn eval_with<T: Variant + Clone>(script: &str, x: impl Into<Dynamic>) -> T {
    let mut scope = Scope::new();
    scope.push_dynamic("x", x.into());
    ENGINE
        .with(|engine| engine.eval_with_scope(&mut scope, script))
        .unwrap_or_else(|error| panic!("{script}: {error}"))
}

/// What `script` throws, as `catch` would see it.
pub fn thrown(script: &str) -> String {
    message(ENGINE.with(|engine| engine.eval::<Dynamic>(script)).expect_err(script))
}

/// The text of an error that is thrown, as `catch` would see it.
#[expect(clippy::boxed_local, reason = "it is what functions throw")]
pub fn message(error: Thrown) -> String {
    match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(value, _) => value.clone().into_string().expect("a string is thrown"),
        other => panic!("not thrown: {other}"),
    }
}

/// Values that JSON carries without loss.
pub fn values() -> impl Strategy<Value = Dynamic> {
    let leaf = prop_oneof![
        Just(Dynamic::UNIT),
        any::<bool>().prop_map(Dynamic::from),
        any::<i64>().prop_map(Dynamic::from),
        prop::num::f64::NORMAL.prop_map(Dynamic::from),
        any::<String>().prop_map(Dynamic::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Dynamic::from_array),
            prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect::<Map>()
                .into()),
        ]
    })
}

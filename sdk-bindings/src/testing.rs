//! Running script text in unit tests, with the limits that scripts have by default.

use rhai::{Dynamic, Engine, EvalAltResult, Scope, Variant};

/// An engine as a script finds it.
pub fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_string_size(256 * 1024);
    engine.set_max_array_size(10_000);
    engine.set_max_map_size(10_000);
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
    let result = ENGINE.with(|engine| engine.eval::<Dynamic>(script));
    match result.map_err(|error| error.unwrap_inner().clone_text()) {
        Err(Some(text)) => text,
        other => panic!("{script} threw no string: {other:?}"),
    }
}

trait Text {
    fn clone_text(&self) -> Option<String>;
}

impl Text for EvalAltResult {
    fn clone_text(&self) -> Option<String> {
        match self {
            EvalAltResult::ErrorRuntime(value, _) => value.clone().into_string().ok(),
            _ => None,
        }
    }
}

//! Grain against the tree walker: the same value, the same error at the same place, the same host calls.

use std::{
    cell::RefCell,
    fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    rc::Rc,
    thread,
};

use picloud_guest::{Failure, Library, Limits, Script, engine};
use picloud_sdk::{
    json,
    native::{self, Host, MemoryHost},
    wire::Writer,
};
use rhai::{Dynamic, Engine};

/// What is compared: the value or the failure, and every host call with its parameters.
#[derive(Debug, PartialEq)]
struct Seen {
    result: Result<String, Failure>,
    calls: Vec<String>,
}

struct Recorder {
    host: MemoryHost,
    calls: Rc<RefCell<Vec<String>>>,
}

impl Host for Recorder {
    fn call(&mut self, import: &str, params: &[u8]) -> Result<Vec<u8>, String> {
        self.calls.borrow_mut().push(format!("{import} {params:02x?}"));
        self.host.call(import, params)
    }
}

fn limited(limits: &Limits) -> Engine {
    let mut engine = engine(&Library::default());
    limits.apply(&mut engine);
    engine
}

fn run(engine: &Engine, script: &Script) -> (Seen, u64) {
    let calls = Rc::new(RefCell::new(Vec::new()));
    native::install(Recorder { host: MemoryHost::default(), calls: calls.clone() });
    let ctx = json::parse(
        br#"{"sdk_version": "0.1", "invocation_type": "http", "request": {"method": "GET", "path": "/x",
            "headers": {"x-b": "c"}, "query": {"q": "1"}, "params": {}, "rest": "",
            "body": {"name": "thing", "items": [1, 2, 3]}}}"#,
    );
    let run = panic::catch_unwind(AssertUnwindSafe(|| script.run(engine, ctx.unwrap())));
    let (result, operations) = run.unwrap_or_else(|_| (Err(panicked()), 0));
    let result = result.map(|value| show(&value));
    (Seen { result, calls: calls.take() }, operations)
}

fn panicked() -> Failure {
    Failure::new("panic", "")
}

/// Values that the wire carries are shown by their bytes, so that no difference of type is lost.
fn show(value: &Dynamic) -> String {
    let mut writer = Writer::new();
    match writer.value(value) {
        Ok(writer) => format!("{value:?} {:02x?}", writer.as_bytes()),
        Err(_) => format!("{value:?}"),
    }
}

/// Compares both ways to run `source`; says how they differ.
fn difference(engine: &Engine, source: &str) -> Option<String> {
    let ast = engine.compile(source).ok()?;
    let (grain, _) = run(engine, &Script::new(ast.clone()));
    let (walker, _) = run(engine, &Script::walked(ast));
    (grain != walker || walker.result == Err(panicked()))
        .then(|| format!("{source}\n  grain:  {grain:?}\n  walker: {walker:?}"))
}

/// The scripts of `tests/tour`: some hundred small ones, over the whole language.
fn tour() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tour");
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        scripts.extend(text.split("// ---\n").map(str::to_owned));
    }
    scripts
}

fn tight() -> Limits {
    Limits {
        max_operations: 20_000,
        max_string_size: 4096,
        max_array_size: 500,
        max_map_size: 100,
        ..Limits::default()
    }
}

/// The walker recurses on the machine's stack, and a debug build takes far more of it than the guest.
fn with_a_large_stack(test: fn()) {
    thread::Builder::new()
        .stack_size(1 << 28)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap_or_else(|cause| panic::resume_unwind(cause));
}

#[test]
fn the_tour_runs_the_same_either_way() {
    with_a_large_stack(tour_differences);
}

fn tour_differences() {
    let engine = limited(&tight());
    let scripts = tour();
    let differences: Vec<String> = scripts.iter().filter_map(|source| difference(&engine, source)).collect();
    assert!(
        differences.is_empty(),
        "{} of {}:\n{}",
        differences.len(),
        scripts.len(),
        differences.join("\n")
    );
}

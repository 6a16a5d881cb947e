//! Grain against the tree walker: the same value, the same error at the same place, the same host calls.
//!
//! Two differences are let through, as they are told in `README.md`: Grain counts fewer operations, so a
//! budget ends elsewhere; and it gives the column of some errors a few characters off, on the same line: a failed import, a call into a
//! module that is not there, `.call()` on something that is no function, a write into a constant map.

mod generator;

use std::{
    cell::RefCell,
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    rc::Rc,
    thread,
};

use picloud_guest::{Failure, Library, Limits, Script, engine, parse};
use picloud_sdk::{
    host::{self, Host},
    json,
    native::MemoryHost,
    wire::Writer,
};
use rhai::{Dynamic, Engine, Position};

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

fn limited() -> Engine {
    let mut engine = engine(&Library::default());
    let limits = Limits {
        max_operations: 20_000,
        max_string_size: 4096,
        max_array_size: 500,
        max_map_size: 100,
        ..Limits::default()
    };
    limits.apply(&mut engine);
    engine
}

fn run(engine: &Engine, script: &Script) -> Seen {
    let calls = Rc::new(RefCell::new(Vec::new()));
    host::install(Recorder { host: MemoryHost::default(), calls: calls.clone() });
    let ctx = json::parse(
        br#"{"sdk_version": "0.1", "invocation_type": "http", "request": {"method": "GET", "path": "/x",
            "headers": {"x-b": "c"}, "query": {"q": "1"}, "params": {}, "rest": "",
            "body": {"name": "thing", "items": [1, 2, 3]}}}"#,
    );
    let run = panic::catch_unwind(AssertUnwindSafe(|| script.run(engine, ctx.unwrap())));
    let (result, _) = run.unwrap_or_else(|_| (Err(Failure::new("panic", "")), 0));
    let result = result.map(|value| show(&value)).map_err(comparable);
    Seen { result, calls: calls.take() }
}

/// Values that the wire carries are shown by their bytes, so that no difference of type is lost.
fn show(value: &Dynamic) -> String {
    let mut writer = Writer::new();
    match writer.value(value) {
        Ok(writer) => format!("{value:?} {:02x?}", writer.as_bytes()),
        Err(_) => format!("{value:?}"),
    }
}

/// The failure without what may differ.
fn comparable(mut failure: Failure) -> Failure {
    let column_may_differ = ["module not found", "import: ", "(expecting Fn)", "Cannot modify constant"];
    // The walker gives no place to an error of a namespaced function.
    if failure.code == "operation_budget" || failure.message.contains("::") {
        failure.position = Position::NONE;
    } else if column_may_differ.iter().any(|text| failure.message.contains(text)) {
        failure.position =
            failure.position.line().map_or(Position::NONE, |line| Position::new(line as u16, 1));
    }
    failure
}

/// Compares both ways to run `source`; says how they differ. What does not parse cannot.
fn difference(engine: &mut Engine, source: &str) -> Option<String> {
    let ast = parse(engine, source, None).ok()?;
    let artifact = Script::write(&ast).and_then(|artifact| Script::read(&artifact));
    let grain = run(engine, &artifact.unwrap_or_else(|| Script::new(ast.clone())));
    let walker = run(engine, &Script::walked(ast));
    let panicked = walker.result.as_ref().is_err_and(|failure| failure.code == "panic");
    (grain != walker || panicked).then(|| format!("{source}\n  grain:  {grain:?}\n  walker: {walker:?}"))
}

/// Compares all `scripts`, of which at least `least` must parse.
fn assert_no_differences(scripts: Vec<String>, least: usize) {
    let compare = move || {
        let mut engine = limited();
        let scripts: Vec<_> =
            scripts.into_iter().filter(|source| parse(&mut engine, source, None).is_ok()).collect();
        assert!(scripts.len() >= least, "only {} scripts parse", scripts.len());
        // The SDK fetches randomness ahead: what is left over must not tell the two runs apart.
        let ahead = parse(&mut engine, "random::bool()", None).unwrap();
        run(&engine, &Script::walked(ahead));
        scripts.iter().filter_map(|source| difference(&mut engine, source)).collect()
    };
    // The walker recurses on the machine's stack, and a debug build takes far more of it than the guest.
    let differences: Vec<String> =
        thread::Builder::new().stack_size(1 << 28).spawn(compare).unwrap().join().unwrap();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// The scripts of `tour`: some hundred small ones, over the whole language.
#[test]
fn the_language_tour_runs_the_same_on_both() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/tour");
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        scripts.extend(text.split("// ---\n").map(str::to_owned));
    }
    assert_no_differences(scripts, 300);
}

/// `DIFFERENTIAL_SCRIPTS=20000 cargo test --release generated` looks further than a usual run.
#[test]
fn generated_scripts_run_the_same_on_both() {
    let count = env::var("DIFFERENTIAL_SCRIPTS").map_or(600, |count| count.parse().unwrap());
    assert_no_differences((0..count).map(generator::script).collect(), count as usize / 2);
}

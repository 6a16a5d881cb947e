//! Running a case twice: as PiCloud does, and as native Rhai does.

use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
    rc::Rc,
    sync::Once,
};

use picloud_guest::{Failure, Library, Limits, Resolver, Script, Source, compile_modules, engine, parse};
use picloud_sdk::{
    host::{self, Host},
    json,
    native::MemoryHost,
    wire::Writer,
};
use rhai::{
    Dynamic, Engine, OptimizationLevel, Position, Scope,
    packages::{Package, StandardPackage},
};

use crate::generator::Case;

/// What is compared: the value or the failure, and every host call with its parameters.
#[derive(Debug)]
struct Seen {
    result: Result<String, Failure>,
    calls: Vec<String>,
}

/// How the runs of a case differ, if they do.
pub struct Compared {
    pub on_grain: bool,
    pub difference: Option<Difference>,
}

/// A difference: of which kind, and the case with both results.
pub struct Difference {
    pub kind: Kind,
    pub text: String,
}

/// What differs first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// We stop on an assertion of Rhai.
    Panic,
    /// We return what native Rhai throws on.
    Error,
    /// We throw what native Rhai does not.
    NoError,
    Value,
    Message,
    Calls,
    Position,
}

/// Both interpreters.
pub struct Runner {
    ours: Engine,
    our_modules: Library,
    native: Engine,
    native_modules: Library,
}

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(false) };
}

/// Panics of scripts are results; only others are printed.
fn silence_panics_of_scripts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !RECORDING.get() {
                print(panic);
            }
        }));
    });
}

fn limits() -> Limits {
    Limits {
        max_operations: 20_000,
        max_string_size: 4096,
        max_array_size: 500,
        max_map_size: 100,
        ..Limits::default()
    }
}

/// Rhai with its standard library and the SDK, and nothing of PiCloud's interpreter.
fn native(library: &Library) -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_optimization_level(OptimizationLevel::Simple);
    engine.set_module_resolver(Resolver::new(library.clone()));
    engine.disable_symbol("eval");
    picloud_sdk::register(&mut engine);
    engine
}

impl Runner {
    pub fn new() -> Self {
        silence_panics_of_scripts();
        let (our_modules, native_modules) = (Library::default(), Library::default());
        let (mut ours, mut native) = (engine(&our_modules), native(&native_modules));
        limits().apply(&mut ours);
        limits().apply(&mut native);
        // The SDK fetches randomness ahead: what is left over must not tell the two runs apart.
        let ahead = native.compile("random::bool()").unwrap();
        record(|| {
            native.eval_ast::<Dynamic>(&ahead).map_err(|error| Failure::running(*error, Position::NONE))
        });
        Self { ours, our_modules, native, native_modules }
    }

    /// None for a case that does not parse.
    pub fn compare(&mut self, case: &Case) -> Option<Compared> {
        let native = self.native(case)?;
        let (ours, on_grain) = self.ours(case)?;
        // Where native Rhai panics, there is no right answer.
        let panicked = native.result.as_ref().is_err_and(|failure| failure.code == "panic");
        let kind = different(&ours, &native).filter(|_| !panicked);
        let difference = kind.map(|kind| {
            let module = case.module.as_ref().map_or(String::new(), |text| format!("--- module m\n{text}"));
            let text = format!("{}{module}\n  native: {native:?}\n  ours:   {ours:?}\n", case.script);
            Difference { kind, text }
        });
        Some(Compared { on_grain, difference })
    }

    /// How the runs differ; None if they do not, or the case does not parse.
    pub fn difference(&mut self, case: &Case) -> Option<Difference> {
        self.compare(case)?.difference
    }

    fn ours(&mut self, case: &Case) -> Option<(Seen, bool)> {
        compile_modules(&self.ours, &source(case), &mut self.our_modules.borrow_mut()).ok()?;
        let ast = parse(&mut self.ours, &case.script, None).ok()?;
        let artifact = Script::write(&ast).and_then(|artifact| Script::read(&artifact));
        let script = artifact.unwrap_or_else(|| Script::new(ast));
        let on_grain = matches!(script, Script::Compiled(_));
        Some((record(|| script.run(&self.ours, ctx()).0), on_grain))
    }

    fn native(&mut self, case: &Case) -> Option<Seen> {
        compile_modules(&self.native, &source(case), &mut self.native_modules.borrow_mut()).ok()?;
        let ast = self.native.compile(&case.script).ok()?;
        let mut scope = Scope::new();
        scope.push_constant_dynamic("ctx", ctx());
        Some(record(|| {
            let result = self.native.eval_ast_with_scope::<Dynamic>(&mut scope, &ast);
            result.map_err(|error| Failure::running(*error, Position::NONE))
        }))
    }
}

fn source(case: &Case) -> Source<'_> {
    let modules = case.module.iter().map(|text| ("m", text.as_str())).collect();
    Source { text: &case.script, is_module: false, limits: limits(), modules }
}

fn ctx() -> Dynamic {
    let ctx = json::parse(
        br#"{"sdk_version": "0.1", "invocation_type": "http", "request": {"method": "GET", "path": "/x",
            "headers": {"x-b": "c"}, "query": {"q": "1"}, "params": {}, "rest": "",
            "body": {"name": "thing", "items": [1, 2, 3]}}}"#,
    );
    ctx.unwrap()
}

struct Recorder {
    host: MemoryHost,
    calls: Rc<RefCell<Vec<String>>>,
}

impl Host for Recorder {
    fn call(&mut self, import: &str, params: &[u8]) -> Result<Vec<u8>, String> {
        self.calls.borrow_mut().push(format!("{import} {:?}", String::from_utf8_lossy(params)));
        self.host.call(import, params)
    }
}

/// Runs with a new host that remembers the calls.
fn record(run: impl FnOnce() -> Result<Dynamic, Failure>) -> Seen {
    let calls = Rc::new(RefCell::new(Vec::new()));
    host::install(Recorder { host: MemoryHost::default(), calls: calls.clone() });
    RECORDING.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    RECORDING.set(false);
    let result = result.unwrap_or_else(|_| Err(Failure::new("panic", "")));
    Seen { result: result.map(|value| show(&value)), calls: calls.take() }
}

/// Values that the wire carries are shown by their bytes, so that no difference of type is lost.
fn show(value: &Dynamic) -> String {
    let mut writer = Writer::new();
    match writer.value(value) {
        Ok(writer) => format!("{value:?} {:02x?}", writer.as_bytes()),
        Err(_) => format!("{value:?}"),
    }
}

/// What differs, as far as it must not.
fn different(ours: &Seen, native: &Seen) -> Option<Kind> {
    let same = |same: bool, kind| (!same).then_some(kind);
    match (&ours.result, &native.result) {
        (Err(one), _) if one.code == "panic" => Some(Kind::Panic),
        // Bytecode counts fewer operations, so a budget ends elsewhere.
        (_, Err(other)) if other.code == "operation_budget" => None,
        (Ok(_), Err(_)) => Some(Kind::Error),
        (Err(_), Ok(_)) => Some(Kind::NoError),
        (Ok(one), Ok(other)) => same(one == other, Kind::Value),
        (Err(one), Err(other)) => {
            let (here, there) = (one.position, other.position);
            let told = one.code == other.code && one.message == other.message && one.module == other.module;
            same(told, Kind::Message).or_else(|| same(there.is_none() || here == there, Kind::Position))
        }
    }
    .or_else(|| {
        let stopped = matches!(&native.result, Err(failure) if failure.code == "operation_budget");
        same(stopped || ours.calls == native.calls, Kind::Calls)
    })
}

//! What PiCloud is measured against: the same scripts on the same Rhai, native, tree walker, no isolation.
//!
//! `native-rhai SCRIPTS` reads commands from standard input and answers each with one line of JSON, so that a
//! benchmark can take turns with it:
//!
//! ```text
//! p1 500          a new engine per call, the parsed script kept, one kv call answered from memory
//! p2 500          a new engine, parsing and running per call
//! p3 fib 10       a script of SCRIPTS on one engine with the whole SDK, parsed once
//! p3-limited fib 10       the same with the limits of Rhai's own that the guest sets, too
//! ```
//!
//! `{"bench":"p1","script":"kv_once","iterations":500,"ns":[...],"value":"..."}`: the time of every iteration in
//! nanoseconds, and what the script returned, as JSON, to be compared with what the guest returned.
//!
//! "A new engine" is what an embedder without isolation has to pay for a clean slate: `Engine::new()` with the
//! functions of kv registered, none of PiCloud's limits, and no other namespace. The request is made anew for every call, and
//! the answer is rendered to JSON, as both are in the guest.

use std::{
    env,
    error::Error,
    fs,
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use picloud_sdk::{host, json, native::MemoryHost, wire::Writer};
use rhai::{AST, Dynamic, Engine, Map, Scope};

fn main() -> Result<(), Box<dyn Error>> {
    let scripts = PathBuf::from(env::args().nth(1).ok_or("usage: native-rhai SCRIPTS")?);
    host::install(memory_host());
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let (script, iterations) = match words[..] {
            ["p1" | "p2", iterations] => ("kv_once", iterations),
            ["p3" | "p3-limited", script, iterations] => (script, iterations),
            _ => return Err(format!("no command {line:?}").into()),
        };
        let source = source(&scripts, script)?;
        let run: Box<dyn Fn() -> Dynamic> = match words[0] {
            "p1" => {
                let ast = kv_engine().compile(&source)?;
                Box::new(move || eval(&kv_engine(), &ast))
            }
            "p2" => Box::new(move || {
                let engine = kv_engine();
                let ast = engine.compile(&source).expect("it parsed before");
                eval(&engine, &ast)
            }),
            bench => {
                let mut engine = sdk_engine();
                if bench == "p3-limited" {
                    limit(&mut engine);
                }
                let ast = engine.compile(&source)?;
                Box::new(move || eval(&engine, &ast))
            }
        };
        let (nanoseconds, value) = measure(iterations.parse()?, &run);
        writeln!(
            output,
            "{{\"bench\":\"{}\",\"script\":\"{script}\",\"iterations\":{},\"ns\":{nanoseconds:?},\"value\":{}}}",
            words[0],
            nanoseconds.len(),
            json::render(&value.into(), usize::MAX).expect("text has a JSON form"),
        )?;
        output.flush()?;
    }
    Ok(())
}

/// The time of every iteration, and the value of the last one as JSON.
fn measure(iterations: usize, run: &dyn Fn() -> Dynamic) -> (Vec<u128>, String) {
    let mut value = String::new();
    let mut nanoseconds = Vec::with_capacity(iterations);
    for _ in 0..iterations {
        let start = Instant::now();
        let text = json::render(&run(), usize::MAX).expect("scripts return JSON values");
        nanoseconds.push(start.elapsed().as_nanos());
        value = text;
    }
    (nanoseconds, value)
}

fn source(scripts: &Path, name: &str) -> Result<String, Box<dyn Error>> {
    let path = scripts.join(name).with_extension("rhai");
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn kv_engine() -> Engine {
    let mut engine = Engine::new();
    picloud_sdk::kv::register(&mut engine);
    engine
}

fn sdk_engine() -> Engine {
    let mut engine = Engine::new();
    picloud_sdk::register(&mut engine);
    engine
}

/// The limits are no part of the isolation, but checking them takes its time: sizes are measured after every
/// call of a method, for one.
fn limit(engine: &mut Engine) {
    engine
        .set_max_operations(1_000_000_000)
        .set_max_string_size(1024 * 1024)
        .set_max_array_size(100_000)
        .set_max_map_size(100_000);
}

fn eval(engine: &Engine, ast: &AST) -> Dynamic {
    let mut scope = Scope::new();
    scope.push_constant_dynamic("ctx", request());
    engine
        .eval_ast_with_scope(&mut scope, ast)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The request that the guest gets, too.
fn request() -> Dynamic {
    let texts = |pairs: &[(&str, &str)]| -> Map {
        pairs
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect()
    };
    let mut request = texts(&[("method", "GET"), ("path", "/"), ("rest", "")]);
    for name in ["headers", "query", "params"] {
        request.insert(name.into(), Map::new().into());
    }
    request.insert("body".into(), Dynamic::UNIT);
    let mut ctx = texts(&[
        ("sdk_version", picloud_sdk::SDK_VERSION),
        ("execution_id", "00000000-0000-7000-8000-000000000001"),
        ("request_id", "00000000-0000-7000-8000-000000000002"),
        ("script_id", "00000000-0000-7000-8000-000000000003"),
        ("script_name", "bench"),
        ("invocation_type", "http"),
    ]);
    ctx.insert("request".into(), request.into());
    ctx.into()
}

/// A kv store with the one value that `kv_once` reads.
fn memory_host() -> MemoryHost {
    let mut host = MemoryHost::default();
    let mut widget = Writer::new();
    widget
        .map(2)
        .string("name")
        .string("bolt")
        .string("price")
        .int(21);
    host.kv
        .insert(("widgets".into(), "w1".into()), (widget.into_bytes(), None));
    host
}

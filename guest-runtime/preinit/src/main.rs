//! `picloud-preinit IN.wasm OUT.wasm`: calls the module's `initialize` and writes a module that starts where
//! that left off. Wizer does the rewriting; the call itself needs no compiler, so an interpreter makes it.

use std::{
    env,
    error::Error,
    fs,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use wasmi::{Config, Engine, ExternType, Func, Instance, Linker, Module, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

const INITIALIZE: &str = "initialize";

fn main() -> Result<(), Box<dyn Error>> {
    let [input, output] = env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: IN OUT")?;
    let wasm = fs::read(&input)?;
    let mut wizer = Wizer::new();
    wizer.init_func(INITIALIZE);
    let (context, instrumented) = wizer.instrument(&wasm)?;
    let mut initialized = Initialized::run(&instrumented)?;
    let mut snapshot = pin!(wizer.snapshot(&context, &mut initialized));
    // Nothing in it waits, so the first poll ends it.
    let Poll::Ready(module) = snapshot.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        return Err("the snapshot did not finish".into());
    };
    fs::write(&output, module?)?;
    Ok(())
}

/// An instance after its `initialize`.
struct Initialized {
    store: Store<()>,
    instance: Instance,
}

impl Initialized {
    fn run(wasm: &[u8]) -> Result<Self, Box<dyn Error>> {
        let mut config = Config::default();
        config.wasm_simd(true).wasm_wide_arithmetic(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        for import in module.imports() {
            let ExternType::Func(kind) = import.ty() else {
                return Err(format!("{} is not a function", import.name()).into());
            };
            let refuse = Func::new(&mut store, kind.clone(), |_, _, _| {
                Err(wasmi::Error::new("initialize must not call the host"))
            });
            linker.define(import.module(), import.name(), refuse)?;
        }
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        instance.get_typed_func::<(), ()>(&store, INITIALIZE)?.call(&mut store, ())?;
        Ok(Self { store, instance })
    }
}

impl InstanceState for Initialized {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&self.store, name).expect("Wizer exports every global");
        match global.get(&self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(value) => SnapshotVal::F32(value.to_bits()),
            Val::F64(value) => SnapshotVal::F64(value.to_bits()),
            Val::V128(value) => SnapshotVal::V128(value.as_u128()),
            other => panic!("global {name} holds {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&self.store, name).expect("Wizer exports every memory");
        contents(memory.data(&self.store));
    }
}

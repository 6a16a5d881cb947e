//! `kv::` the app's key-value store.

use rhai::{Dynamic, Engine, FuncRegistration, INT, ImmutableString, Map, Module};

use crate::args::{self, Thrown};
use crate::host::{self, fail};
use crate::wire::Writer;

crate::import!(GET, "kv_get");
crate::import!(SET, "kv_set");
crate::import!(HAS, "kv_has");
crate::import!(DELETE, "kv_delete");
crate::import!(LIST, "kv_list");
crate::import!(INCREMENT, "kv_increment");
crate::import!(SET_IF, "kv_set_if");

const MAX_COLLECTION: usize = 128;
const MAX_KEY: usize = 512;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// What `kv::collection` gives: the name is checked and nothing else is done until a method is called.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

/// Registers the namespace, and the methods of its handle.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("collection", |name: Dynamic| {
        let name = args::string("kv::collection", "name", name)?;
        length("kv::collection", "name", &name, MAX_COLLECTION)?;
        Ok(Collection { name })
    });
    engine.register_static_module("kv", module.into());
    engine.register_type_with_name::<Collection>("collection");

    // The calls of a handle change nothing in it, so that a constant one can be used too.
    let method = |name: &str| FuncRegistration::new(name).with_purity(true).with_volatility(true);
    method("get").register_into_engine(engine, |c: &mut Collection, key: Dynamic| c.get(key));
    method("set").register_into_engine(engine, |c: &mut Collection, key: Dynamic, value: Dynamic| {
        c.set(key, &value, None)
    });
    method("set").register_into_engine(
        engine,
        |c: &mut Collection, key: Dynamic, value: Dynamic, options: Dynamic| {
            c.set(key, &value, ttl_seconds(&options)?)
        },
    );
    method("has").register_into_engine(engine, |c: &mut Collection, key: Dynamic| c.has(key));
    method("delete").register_into_engine(engine, |c: &mut Collection, key: Dynamic| c.delete(key));
    method("list").register_into_engine(engine, |c: &mut Collection| c.list("", DEFAULT_LIMIT));
    method("list").register_into_engine(engine, |c: &mut Collection, cursor: Dynamic| {
        c.list(&args::string("kv::list", "cursor", cursor)?, DEFAULT_LIMIT)
    });
    method("list").register_into_engine(engine, |c: &mut Collection, cursor: Dynamic, limit: Dynamic| {
        let cursor = args::string("kv::list", "cursor", cursor)?;
        c.list(&cursor, args::size("kv::list", "limit", &limit, 1, MAX_LIMIT)?)
    });
    method("increment")
        .register_into_engine(engine, |c: &mut Collection, key: Dynamic, n: Dynamic| c.increment(key, &n));
    method("set_if").register_into_engine(
        engine,
        |c: &mut Collection, key: Dynamic, expected: Dynamic, value: Dynamic| {
            c.set_if(key, &expected, &value)
        },
    );
}

impl Collection {
    fn get(&self, key: Dynamic) -> Result<Dynamic, Thrown> {
        let (function, mut params) = ("kv::get", Writer::params(2));
        self.entry(function, &mut params, key)?;
        host::call(&GET, function, &params)?.value()
    }

    fn set(&self, key: Dynamic, value: &Dynamic, ttl_seconds: Option<INT>) -> Result<(), Thrown> {
        let (function, mut params) = ("kv::set", Writer::params(4));
        self.entry(function, &mut params, key)?;
        stored(function, &mut params, value)?;
        params.optional_int(ttl_seconds);
        host::call(&SET, function, &params).map(drop)
    }

    fn has(&self, key: Dynamic) -> Result<bool, Thrown> {
        let (function, mut params) = ("kv::has", Writer::params(2));
        self.entry(function, &mut params, key)?;
        host::call(&HAS, function, &params)?.bool()
    }

    fn delete(&self, key: Dynamic) -> Result<bool, Thrown> {
        let (function, mut params) = ("kv::delete", Writer::params(2));
        self.entry(function, &mut params, key)?;
        host::call(&DELETE, function, &params)?.bool()
    }

    fn list(&self, cursor: &str, limit: usize) -> Result<Dynamic, Thrown> {
        let mut params = Writer::params(3);
        params.string(&self.name).string(cursor).int(limit as INT);
        host::call(&LIST, "kv::list", &params)?.value()
    }

    fn increment(&self, key: Dynamic, n: &Dynamic) -> Result<INT, Thrown> {
        let (function, mut params) = ("kv::increment", Writer::params(3));
        self.entry(function, &mut params, key)?;
        params.int(args::int(function, "n", n)?);
        host::call(&INCREMENT, function, &params)?.int()
    }

    fn set_if(&self, key: Dynamic, expected: &Dynamic, value: &Dynamic) -> Result<bool, Thrown> {
        let (function, mut params) = ("kv::set_if", Writer::params(4));
        self.entry(function, &mut params, key)?;
        packed(function, &mut params, "expected", expected)?;
        stored(function, &mut params, value)?;
        host::call(&SET_IF, function, &params)?.bool()
    }

    /// The first two parameters of all functions about one key.
    fn entry(&self, function: &str, params: &mut Writer, key: Dynamic) -> Result<(), Thrown> {
        let key = args::string(function, "key", key)?;
        length(function, "key", &key, MAX_KEY)?;
        params.string(&self.name).string(&key);
        Ok(())
    }
}

fn length(function: &str, param: &str, text: &str, most: usize) -> Result<(), Thrown> {
    match text.len() {
        0 => Err(fail(function, format_args!("{param} must not be empty"))),
        length if length > most => {
            Err(fail(function, format_args!("{param} must have at most {most} bytes, not {length}")))
        }
        _ => Ok(()),
    }
}

/// A value to store. `()` is none: a key that holds it could not be told from one that is absent.
fn stored(function: &str, params: &mut Writer, value: &Dynamic) -> Result<(), Thrown> {
    if value.is_unit() {
        return Err(fail(function, "value must not be (), which means absent; use delete"));
    }
    packed(function, params, "value", value)
}

fn packed(function: &str, params: &mut Writer, param: &str, value: &Dynamic) -> Result<(), Thrown> {
    match params.packed(value) {
        Ok(_) => Ok(()),
        Err(error) => Err(fail(function, format_args!("{param}: {error}"))),
    }
}

fn ttl_seconds(options: &Dynamic) -> Result<Option<INT>, Thrown> {
    args::map("kv::set", "options", options, |options: &Map| {
        let mut ttl = None;
        for (key, value) in options {
            match key.as_str() {
                "ttl_seconds" => ttl = Some(args::int("kv::set", "ttl_seconds", value)?),
                unknown => {
                    return Err(fail(
                        "kv::set",
                        format_args!("unknown option {unknown}; there is: ttl_seconds"),
                    ));
                }
            }
        }
        match ttl {
            Some(seconds) if seconds < 1 => {
                Err(fail("kv::set", format_args!("ttl_seconds must be 1 or more, not {seconds}")))
            }
            ttl => Ok(ttl),
        }
    })?
}

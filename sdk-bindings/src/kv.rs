//! `kv::` the app's key-value store.

use rhai::{Dynamic, Engine, FuncRegistration, INT, ImmutableString, Map, Module, NativeCallContext};

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

const MAX_KEY: usize = 512;

/// What `kv::collection` gives: the name is checked and nothing else is done until a method is called.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

/// Registers the namespace, and the methods of its handle.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("collection", |name: Dynamic| {
        let name = args::name("kv::collection", "name", name, args::MAX_COLLECTION)?;
        Ok::<_, Thrown>(Collection { name })
    });
    engine.register_static_module("kv", module.into());
    engine.register_type_with_name::<Collection>("kv::collection");

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
    method("list").register_into_engine(engine, |context: NativeCallContext, c: &mut Collection| {
        c.list(&context, None, None)
    });
    method("list").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, cursor: Dynamic| {
            c.list(&context, Some(cursor), None)
        },
    );
    method("list").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, cursor: Dynamic, limit: Dynamic| {
            c.list(&context, Some(cursor), Some(limit))
        },
    );
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

    fn list(
        &self,
        context: &NativeCallContext,
        cursor: Option<Dynamic>,
        limit: Option<Dynamic>,
    ) -> Result<Dynamic, Thrown> {
        let page = args::page("kv::list", cursor, limit)?;
        let mut params = Writer::params(3);
        params.string(&self.name).string(&page.cursor).int(page.limit);
        let page = host::call(&LIST, "kv::list", &params)?.value()?;
        args::result_fits(context, "kv::list", &page)?;
        Ok(page)
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
        let key = args::name(function, "key", key, MAX_KEY)?;
        params.string(&self.name).string(&key);
        Ok(())
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
        args::keys("kv::set", "option", options, &["ttl_seconds"])?;
        let Some(given) = options.get("ttl_seconds") else { return Ok(None) };
        match args::int("kv::set", "ttl_seconds", given)? {
            seconds if seconds < 1 => {
                Err(fail("kv::set", format_args!("ttl_seconds must be 1 or more, not {seconds}")))
            }
            seconds => Ok(Some(seconds)),
        }
    })?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{self, eval, eval_with, thrown};

    fn thrown_by(call: &str) -> String {
        thrown(&format!("let c = kv::collection(\"c\"); {call}"))
    }

    #[test]
    fn wrong_types_are_refused_by_function_parameter_and_type() {
        assert_eq!(thrown("kv::collection(1)"), "kv::collection: name must be a string, not i64");
        assert_eq!(thrown_by("c.get(1)"), "kv::get: key must be a string, not i64");
        assert_eq!(thrown_by("c.set('k', 1)"), "kv::set: key must be a string, not char");
        assert_eq!(thrown_by("c.set(\"k\", 1, 60)"), "kv::set: options must be a map, not i64");
        assert_eq!(thrown_by("c.has(())"), "kv::has: key must be a string, not ()");
        assert_eq!(thrown_by("c.delete([])"), "kv::delete: key must be a string, not array");
        assert_eq!(thrown_by("c.list(())"), "kv::list: cursor must be a string, not ()");
        assert_eq!(thrown_by("c.list(\"\", \"9\")"), "kv::list: limit must be an int, not string");
        assert_eq!(thrown_by("c.increment(\"k\", 1.0)"), "kv::increment: n must be an int, not f64");
        assert_eq!(thrown_by("c.set_if(c, 1, 2)"), "kv::set_if: key must be a string, not collection");
    }

    #[test]
    fn names_keys_and_limits_have_their_bounds() {
        let named = |length: usize| format!("kv::collection(\"{}\")", "n".repeat(length));
        assert_eq!(thrown(&named(0)), "kv::collection: name must not be empty");
        assert_eq!(thrown(&named(129)), "kv::collection: name must have at most 128 bytes, not 129");
        assert!(eval::<bool>(&format!("{}.has(\"k\") == false", named(128))));
        assert_eq!(thrown_by("c.get(\"\")"), "kv::get: key must not be empty");
        // Bytes, not letters.
        let key = "ü".repeat(257);
        assert_eq!(
            thrown_by(&format!("c.has(\"{key}\")")),
            "kv::has: key must have at most 512 bytes, not 514"
        );
        assert_eq!(thrown_by("c.list(\"\", 0)"), "kv::list: limit must be 1 to 1000, not 0");
        assert_eq!(thrown_by("c.list(\"\", 1001)"), "kv::list: limit must be 1 to 1000, not 1001");
    }

    #[test]
    fn options_are_checked() {
        assert_eq!(
            thrown_by("c.set(\"k\", 1, #{ ttl: 5 })"),
            "kv::set: unknown option ttl; there is: ttl_seconds"
        );
        assert_eq!(
            thrown_by("c.set(\"k\", 1, #{ ttl_seconds: \"5\" })"),
            "kv::set: ttl_seconds must be an int, not string"
        );
        assert_eq!(
            thrown_by("c.set(\"k\", 1, #{ ttl_seconds: 0 })"),
            "kv::set: ttl_seconds must be 1 or more, not 0"
        );
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        assert_eq!(
            thrown_by("c.set(\"k\", ())"),
            "kv::set: value must not be (), which means absent; use delete"
        );
        assert!(thrown_by("c.set_if(\"k\", 1, ())").starts_with("kv::set_if: value must not be ()"));
        assert_eq!(
            thrown_by("c.set(\"k\", #{ f: || 1 })"),
            "kv::set: value: a value of type Fn cannot be stored or sent"
        );
    }

    #[test]
    fn an_error_of_the_host_is_thrown_with_the_name_of_the_function() {
        assert_eq!(
            thrown_by("c.set(\"text\", \"x\"); c.increment(\"text\", 1)"),
            "kv::increment: not an integer"
        );
    }

    #[test]
    fn a_constant_handle_works() {
        assert!(eval::<bool>("const C = kv::collection(\"const\"); C.set(\"k\", 1); C.get(\"k\") == 1"));
    }

    #[test]
    fn more_keys_than_a_script_may_have_are_refused() {
        let script = "let c = kv::collection(\"long\"); let k = \"\"; k.pad(500, 'k'); \
                      for i in 0..600 { c.set(k + i, 1); } c.list(\"\", 500);";
        assert!(eval::<bool>(&format!("{script} true")));
        assert_eq!(
            thrown(&format!("{script} c.list(\"\", 600)")),
            "kv::list: the result is larger than a script may have it (max_string_size)"
        );
    }

    #[test]
    fn a_list_is_paged_to_its_end() {
        let script = r#"
            let c = kv::collection("paged");
            for i in 0..7 { c.set(`key${i}`, i); }
            let seen = []; let cursor = "";
            while cursor != () {
                let page = c.list(cursor, 3);
                seen += page.keys;
                cursor = page.next_cursor;
            }
            seen.len() == 7 && seen[0] == "key0" && seen[6] == "key6" && c.list().keys == seen
        "#;
        assert!(eval::<bool>(script));
    }

    proptest! {
        #[test]
        fn what_is_set_is_got(value in testing::values()) {
            prop_assume!(!value.is_unit());
            let same: bool = eval_with(
                "let c = kv::collection(\"any\"); c.set(\"k\", [x, blob(3, 7)]); let got = c.get(\"k\"); \
                 got[1] == blob(3, 7) && json::stringify(got[0]) == json::stringify(x)",
                value,
            );
            prop_assert!(same);
        }
    }
}

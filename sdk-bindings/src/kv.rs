//! `kv::` the app's key-value store.

use rhai::{Dynamic, Engine, INT, ImmutableString, Map, NativeCallContext};

use crate::args;
use crate::data_size::DataSize;
use crate::error::{Thrown, fail, invalid_reply};
use crate::handle::{self, Handle, method};
use crate::host::{self, Reply};
use crate::imports::kv::{DELETE, ENTRIES, GET, HAS, INCREMENT, LIST, SET, SET_IF, TTL};
use crate::limits::MAX_KEY_BYTES;
use crate::page::{self, Item};
use crate::sizes;
use crate::wire::{Reader, Writer};

/// The handle that `kv::collection` returns.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

impl Handle for Collection {
    const FUNCTION: &'static str = "kv::collection";

    fn new(name: ImmutableString) -> Self {
        Self { name }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Registers the namespace and the methods of its handle.
pub fn register(engine: &mut Engine) {
    handle::register::<Collection>(engine);
    method("get")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, key: Dynamic| {
            c.get(&context, key)
        });
    method("set").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, key: Dynamic, value: Dynamic| {
            c.set(&context, key, &value, None)
        },
    );
    method("set").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, key: Dynamic, value: Dynamic, options: Dynamic| {
            c.set(&context, key, &value, Some(&options))
        },
    );
    method("has").register_into_engine(engine, |c: &mut Collection, key: Dynamic| c.has(key));
    method("ttl").register_into_engine(engine, |c: &mut Collection, key: Dynamic| c.ttl(key));
    method("delete").register_into_engine(engine, |c: &mut Collection, key: Dynamic| c.delete(key));
    handle::pages::<Collection>(engine, "kv::list", &LIST, |context, function, reply| {
        sizes::check_value(context, function, reply.value()?)
    });
    handle::pages::<Collection>(engine, "kv::entries", &ENTRIES, entries);
    method("increment").register_into_engine(engine, |c: &mut Collection, key: Dynamic, n: Dynamic| {
        c.increment(key, &n, None)
    });
    method("increment")
        .register_into_engine(engine, |c: &mut Collection, key: Dynamic, n: Dynamic, options: Dynamic| {
            c.increment(key, &n, Some(&options))
        });
    method("set_if").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, key: Dynamic, expected: Dynamic, value: Dynamic| {
            c.set_if(&context, key, &expected, &value, None)
        },
    );
    method("set_if").register_into_engine(
        engine,
        |context: NativeCallContext,
         c: &mut Collection,
         key: Dynamic,
         expected: Dynamic,
         value: Dynamic,
         options: Dynamic| c.set_if(&context, key, &expected, &value, Some(&options)),
    );
}

impl Collection {
    fn get(&self, context: &NativeCallContext, key: Dynamic) -> Result<Dynamic, Thrown> {
        let function = "kv::get";
        let reply = host::call(&GET, function, &self.entry(function, 2, key)?)?;
        if !DataSize::bound_of_packed(reply.as_bytes().len()).fits(context.engine()) {
            let size = DataSize::of_packed(context.engine(), reply.as_bytes(), false)
                .map_err(|error| invalid_reply(function, error))?;
            if let Some(excess) = size.excess(context.engine()) {
                return Err(excess.of_result(function));
            }
        }
        reply.value()
    }

    fn set(
        &self,
        context: &NativeCallContext,
        key: Dynamic,
        value: &Dynamic,
        options: Option<&Dynamic>,
    ) -> Result<(), Thrown> {
        let function = "kv::set";
        let key = name(function, key)?;
        let mut params = self.entry_of(4, &key);
        stored(context, function, &mut params, &key, value)?;
        params.optional_int(ttl_seconds(function, options)?);
        host::call(&SET, function, &params).map(drop)
    }

    fn has(&self, key: Dynamic) -> Result<bool, Thrown> {
        let function = "kv::has";
        host::call(&HAS, function, &self.entry(function, 2, key)?)?.bool()
    }

    fn ttl(&self, key: Dynamic) -> Result<Dynamic, Thrown> {
        let function = "kv::ttl";
        host::call(&TTL, function, &self.entry(function, 2, key)?)?.value()
    }

    fn delete(&self, key: Dynamic) -> Result<bool, Thrown> {
        let function = "kv::delete";
        host::call(&DELETE, function, &self.entry(function, 2, key)?)?.bool()
    }

    fn increment(&self, key: Dynamic, n: &Dynamic, options: Option<&Dynamic>) -> Result<INT, Thrown> {
        let function = "kv::increment";
        let mut params = self.entry(function, 4, key)?;
        params.int(args::int(function, "n", n)?).optional_int(ttl_seconds(function, options)?);
        host::call(&INCREMENT, function, &params)?.int()
    }

    fn set_if(
        &self,
        context: &NativeCallContext,
        key: Dynamic,
        expected: &Dynamic,
        value: &Dynamic,
        options: Option<&Dynamic>,
    ) -> Result<bool, Thrown> {
        let function = "kv::set_if";
        let key = name(function, key)?;
        let mut params = self.entry_of(5, &key);
        packed(function, &mut params, "expected", expected)?;
        stored(context, function, &mut params, &key, value)?;
        params.optional_int(ttl_seconds(function, options)?);
        host::call(&SET_IF, function, &params)?.bool()
    }

    /// The first two of `count` parameters: collection and key.
    fn entry(&self, function: &str, count: usize, key: Dynamic) -> Result<Writer, Thrown> {
        Ok(self.entry_of(count, &name(function, key)?))
    }

    fn entry_of(&self, count: usize, key: &str) -> Writer {
        let mut params = self.params(count);
        params.string(key);
        params
    }
}

fn name(function: &str, key: Dynamic) -> Result<ImmutableString, Thrown> {
    args::name(function, "key", key, MAX_KEY_BYTES)
}

/// Appends a value to store. `()` is refused, because such a key would look absent, and so is what `entries` could not
/// return under the limits of this script.
fn stored(
    context: &NativeCallContext,
    function: &str,
    params: &mut Writer,
    key: &str,
    value: &Dynamic,
) -> Result<(), Thrown> {
    if value.is_unit() {
        return Err(fail(function, "value must not be (); use delete to remove a key"));
    }
    let start = params.as_bytes().len() + 5; // behind the head that `packed` writes
    packed(function, params, "value", value)?;
    let entry = Entry { key, value: &params.as_bytes()[start..] };
    let (engine, cursor) = (context.engine(), key.len().div_ceil(3) * 4);
    if page::with_one(entry.bound(), cursor).fits(engine) {
        return Ok(());
    }
    let size = entry.size(engine).unwrap_or_default(); // it was just written
    match page::with_one(size, cursor).excess(engine) {
        Some(excess) => Err(excess.of_write(function, "value")),
        None => Ok(()),
    }
}

fn packed(function: &str, params: &mut Writer, param: &str, value: &Dynamic) -> Result<(), Thrown> {
    match params.packed(value) {
        Ok(_) => Ok(()),
        Err(error) => Err(fail(function, format_args!("{param}: {error}"))),
    }
}

fn ttl_seconds(function: &str, options: Option<&Dynamic>) -> Result<Option<INT>, Thrown> {
    let Some(options) = options else { return Ok(None) };
    args::map(function, "options", options, |options: &Map| {
        args::keys(function, "option", options, &["ttl_seconds"])?;
        let Some(given) = options.get("ttl_seconds") else { return Ok(None) };
        match args::int(function, "ttl_seconds", given)? {
            seconds if seconds < 1 => {
                Err(fail(function, format_args!("ttl_seconds must be at least 1, not {seconds}")))
            }
            seconds => Ok(Some(seconds)),
        }
    })?
}

/// A key and its value as MessagePack.
struct Entry<'a> {
    key: &'a str,
    value: &'a [u8],
}

impl Item for Entry<'_> {
    fn bound(&self) -> DataSize {
        self.around() + DataSize::bound_of_packed(self.value.len())
    }

    fn size(&self, engine: &Engine) -> Option<DataSize> {
        DataSize::of_packed(engine, self.value, true).ok().map(|size| self.around() + size)
    }

    fn build(&self) -> Result<Dynamic, String> {
        let value = Reader::new(self.value).part().map_err(|error| error.to_string())?;
        Ok(Map::from([("key".into(), self.key.into()), ("value".into(), value)]).into())
    }

    fn stub(&self) -> Result<Map, String> {
        Ok(Map::from([("key".into(), self.key.into()), ("value".into(), Dynamic::UNIT)]))
    }
}

impl Entry<'_> {
    fn around(&self) -> DataSize {
        DataSize { string_bytes: self.key.len(), elements: 0, entries: 2 }
    }
}

fn entries(context: &NativeCallContext, function: &str, reply: &Reply) -> Result<Dynamic, Thrown> {
    let (mut entries, mut cursors, mut more) = (Vec::new(), Vec::new(), false);
    reply.read(|reader| {
        for _ in 0..reader.map()? {
            if reader.string()? == "more" {
                more = reader.bool()?;
                continue;
            }
            for _ in 0..reader.array()? {
                reader.array()?;
                entries.push(Entry { key: reader.string()?, value: reader.bytes()? });
                cursors.push(reader.string()?);
            }
        }
        Ok(())
    })?;
    page::page(context, function, "entries", &entries, &cursors, more)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::error::{empty, mismatch, out_of_range, result_too_large, too_long, unknown_key};
    use crate::host::install;
    use crate::native::MemoryHost;
    use crate::testing::{self, eval, eval_with, message, thrown};
    use crate::wire::Writer;

    fn thrown_by(call: &str) -> String {
        thrown(&format!("let c = kv::collection(\"c\"); {call}"))
    }

    #[test]
    fn parameters_of_the_wrong_type_throw() {
        assert_eq!(
            thrown("kv::collection(1)"),
            message(mismatch("kv::collection", "name", "a string", "i64"))
        );
        assert_eq!(thrown_by("c.get(1)"), message(mismatch("kv::get", "key", "a string", "i64")));
        assert_eq!(thrown_by("c.set('k', 1)"), message(mismatch("kv::set", "key", "a string", "char")));
        assert_eq!(thrown_by("c.set(\"k\", 1, 60)"), message(mismatch("kv::set", "options", "a map", "i64")));
        assert_eq!(thrown_by("c.has(())"), message(mismatch("kv::has", "key", "a string", "()")));
        assert_eq!(thrown_by("c.delete([])"), message(mismatch("kv::delete", "key", "a string", "array")));
        assert_eq!(thrown_by("c.list(())"), message(mismatch("kv::list", "cursor", "a string", "()")));
        assert_eq!(
            thrown_by("c.list(\"\", \"9\")"),
            message(mismatch("kv::list", "limit", "an int", "string"))
        );
        assert_eq!(thrown_by("c.entries(1)"), message(mismatch("kv::entries", "cursor", "a string", "i64")));
        assert_eq!(
            thrown_by("c.increment(\"k\", 1.0)"),
            message(mismatch("kv::increment", "n", "an int", "f64"))
        );
        assert_eq!(
            thrown_by("c.set_if(c, 1, 2)"),
            message(mismatch("kv::set_if", "key", "a string", "kv::collection"))
        );
        assert_eq!(
            thrown_by("c.set_if(\"k\", 1, 2, 3)"),
            message(mismatch("kv::set_if", "options", "a map", "i64"))
        );
    }

    #[test]
    fn names_keys_and_limits_are_bounded() {
        let named = |length: usize| format!("kv::collection(\"{}\")", "n".repeat(length));
        assert_eq!(thrown(&named(0)), message(empty("kv::collection", "name")));
        assert_eq!(thrown(&named(129)), message(too_long("kv::collection", "name", 128, 129)));
        assert!(eval::<bool>(&format!("{}.has(\"k\") == false", named(128))));
        assert_eq!(thrown_by("c.get(\"\")"), message(empty("kv::get", "key")));
        // Bytes, not letters.
        let key = "ü".repeat(257);
        assert_eq!(thrown_by(&format!("c.has(\"{key}\")")), message(too_long("kv::has", "key", 512, 514)));
        assert_eq!(thrown_by("c.list(\"\", 0)"), message(out_of_range("kv::list", "limit", 1, 1000, 0)));
        assert_eq!(
            thrown_by("c.list(\"\", 1001)"),
            message(out_of_range("kv::list", "limit", 1, 1000, 1001))
        );
    }

    #[test]
    fn options_are_checked() {
        assert_eq!(
            thrown_by("c.set(\"k\", 1, #{ ttl: 5 })"),
            message(unknown_key("kv::set", "option", "ttl", &["ttl_seconds"]))
        );
        assert_eq!(
            thrown_by("c.set(\"k\", 1, #{ ttl_seconds: \"5\" })"),
            message(mismatch("kv::set", "ttl_seconds", "an int", "string"))
        );
        assert_eq!(
            thrown_by("c.set(\"k\", 1, #{ ttl_seconds: 0 })"),
            "kv::set: ttl_seconds must be at least 1, not 0"
        );
        assert_eq!(
            thrown_by("c.set_if(\"k\", (), 1, #{ ttl_seconds: -1 })"),
            "kv::set_if: ttl_seconds must be at least 1, not -1"
        );
        assert_eq!(
            thrown_by("c.set_if(\"k\", (), 1, #{ ttl: 1 })"),
            message(unknown_key("kv::set_if", "option", "ttl", &["ttl_seconds"]))
        );
    }

    #[test]
    fn values_that_cannot_be_stored_throw() {
        assert_eq!(
            thrown_by("c.set(\"k\", ())"),
            "kv::set: value must not be (); use delete to remove a key"
        );
        assert!(thrown_by("c.set_if(\"k\", 1, ())").starts_with("kv::set_if: value must not be ()"));
        assert_eq!(
            thrown_by("c.set(\"k\", #{ f: || 1 })"),
            "kv::set: value: a value of type function cannot be stored or sent"
        );
    }

    #[test]
    fn host_errors_name_the_function() {
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
    fn keys_over_the_limits_throw() {
        let script = "let c = kv::collection(\"long\"); let k = \"\"; k.pad(500, 'k'); \
                      for i in 0..600 { c.set(k + i, 1); } c.list(\"\", 500);";
        assert!(eval::<bool>(&format!("{script} true")));
        assert_eq!(
            thrown(&format!("{script} c.list(\"\", 600)")),
            message(result_too_large("kv::list", 262144, "bytes", "max_string_size"))
        );
    }

    /// What a script with larger limits stored: an array of so many elements.
    fn stored_elsewhere(count: usize) -> (Vec<u8>, Option<i64>) {
        let mut value = Writer::new();
        value.array(count);
        for _ in 0..count {
            value.int(1);
        }
        (value.into_bytes(), None)
    }

    #[test]
    fn a_value_over_the_limits_throws_catchably() {
        let mut host = MemoryHost::default();
        host.kv.insert(("large".into(), "k".into()), stored_elsewhere(20_000));
        install(host);
        assert_eq!(
            thrown("kv::collection(\"large\").get(\"k\")"),
            message(result_too_large("kv::get", 10_000, "elements", "max_array_size"))
        );
    }

    #[test]
    fn entries_go_on_behind_a_value_over_the_limits() {
        let mut host = MemoryHost::default();
        for (key, count) in [("a", 20_000), ("b", 3), ("c", 1_000_000), ("d", 20_000)] {
            host.kv.insert(("large".into(), key.into()), stored_elsewhere(count));
        }
        install(host);
        assert!(eval::<bool>(
            "let c = kv::collection(\"large\"); \
             let page = c.entries(); \
             page.entries.map(|e| e.key) == [\"a\", \"b\", \"c\", \"d\"] && page.next_cursor == () \
             && page.entries[1] == #{ key: \"b\", value: [1, 1, 1] } \
             && page.entries[0] == #{ key: \"a\", value: (), too_large: true } \
             && c.delete(\"a\") && c.entries().entries.len() == 3"
        ));
    }

    #[test]
    fn a_value_that_could_not_be_read_back_is_refused() {
        let large = |value: &str| {
            let refused = ["c.set(\"k\", v)", "c.set_if(\"k\", (), v)"].map(|call| {
                let call = format!("let v = {value}; {call}");
                let told = thrown_by(&call);
                assert!(told.contains(": value is too large to be read back: "), "{told}");
                told.rsplit_once(" exceeds ").unwrap().1.to_owned()
            });
            assert_eq!(refused[0], refused[1]);
            refused[0].clone()
        };
        install(MemoryHost::default());
        assert_eq!(large("[]; v.pad(10000, 1)"), "10000 elements (max_array_size); store it in parts");
        assert_eq!(large("\"\"; v.pad(262140, 'x')"), "262144 bytes (max_string_size); store it in parts");
        assert!(eval::<bool>(
            "let c = kv::collection(\"c\"); let v = \"\"; v.pad(262139, 'x'); c.set(\"k\", v); \
             c.set(\"b\", blob(10000)); let a = []; a.pad(9999, 1); c.set(\"a\", a); \
             let first = c.entries(); let second = c.entries(first.next_cursor); \
             first.entries == [#{ key: \"a\", value: a }] && second.next_cursor == () \
             && second.entries.len() == 2 && second.entries[0].value == blob(10000) && second.entries[1].value == v \
             && c.get(\"b\") == blob(10000)"
        ));
    }

    #[test]
    fn a_counter_gets_its_time_when_it_is_made() {
        install(MemoryHost::default());
        assert!(eval::<bool>(
            "let c = kv::collection(\"c\"); \
             c.increment(\"n\", 1, #{ ttl_seconds: 60 }) == 1 && c.ttl(\"n\") == 60 \
             && c.increment(\"n\", 1, #{ ttl_seconds: 90 }) == 2 && c.ttl(\"n\") == 60 \
             && c.increment(\"n\", 1) == 3 && c.ttl(\"n\") == 60 \
             && c.increment(\"m\", 1) == 1 && c.ttl(\"m\") == () && c.ttl(\"none\") == ()"
        ));
        assert_eq!(
            thrown_by("c.increment(\"k\", 1, #{ ttl_seconds: 0 })"),
            "kv::increment: ttl_seconds must be at least 1, not 0"
        );
        assert_eq!(thrown_by("c.ttl(1)"), message(mismatch("kv::ttl", "key", "a string", "i64")));
    }

    #[test]
    fn entries_are_paged_to_their_end() {
        let script = r#"
            let c = kv::collection("whole");
            for i in 0..7 { c.set(`key${i}`, #{ i: i, bytes: blob(2, i) }); }
            let seen = []; let cursor = ""; let pages = 0;
            while cursor != () {
                let page = c.entries(cursor, 3);
                seen += page.entries;
                cursor = page.next_cursor;
                pages += 1;
            }
            pages == 3 && seen == c.entries().entries && seen.map(|e| e.key) == c.list().keys
                && seen.map(|e| e.value.i) == [0, 1, 2, 3, 4, 5, 6] && seen[6].value.bytes == blob(2, 6)
                && kv::collection("none").entries() == #{ entries: [], next_cursor: () }
        "#;
        assert!(eval::<bool>(script));
    }

    #[test]
    fn a_page_of_entries_ends_at_the_limits() {
        let script = r#"
            let c = kv::collection("sized");
            let n = []; n.pad(3000, 1);
            for i in 0..10 { c.set(`key${i}`, n); }
            let pages = []; let cursor = ""; let keys = [];
            while cursor != () {
                let page = c.entries(cursor);
                pages.push(page.entries.len());
                keys += page.entries.map(|e| e.key);
                cursor = page.next_cursor;
            }
            pages == [3, 3, 3, 1] && keys == c.list().keys
        "#;
        assert!(eval::<bool>(script));
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
        fn values_are_returned_as_they_were_set(value in testing::values()) {
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

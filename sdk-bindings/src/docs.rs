//! `docs::` the app's documents: JSON that can be searched.

use rhai::{Dynamic, Engine, INT, ImmutableString, NativeCallContext};

use crate::args;
use crate::document::{self, found, whole};
use crate::error::{Thrown, fail};
use crate::handle::{self, Handle, method};
use crate::host;
use crate::imports::docs::{COUNT, CREATE, DELETE, FIND, FIND_ONE, GET, LIST, PATCH, UPDATE};
use crate::limits::MAX_DOCUMENT_BYTES;
use crate::wire::Writer;

/// How many bytes a filter may have on its way to the host.
const MAX_FILTER: usize = 48 * 1024;

/// What `docs::collection` gives.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

impl Handle for Collection {
    const FUNCTION: &'static str = "docs::collection";

    fn new(name: ImmutableString) -> Self {
        Self { name }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Registers the namespace, and the methods of its handle.
pub fn register(engine: &mut Engine) {
    handle::register::<Collection>(engine);
    method("create")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, data: Dynamic| {
            c.create(&context, &data)
        });
    method("get")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, id: Dynamic| {
            c.get(&context, id)
        });
    method("find")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, filter: Dynamic| {
            c.find(&context, &filter)
        });
    method("find_one")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, filter: Dynamic| {
            c.find_one(&context, &filter)
        });
    method("count").register_into_engine(engine, |c: &mut Collection, filter: Dynamic| c.count(&filter));
    method("update").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, id: Dynamic, data: Dynamic| {
            c.update(&context, id, &data)
        },
    );
    method("patch").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, id: Dynamic, patch: Dynamic| {
            c.patch(&context, id, &patch)
        },
    );
    method("delete").register_into_engine(engine, |c: &mut Collection, id: Dynamic| c.delete(id));
    handle::pages::<Collection>(engine, "docs::list", &LIST, document::page);
}

impl Collection {
    fn create(&self, context: &NativeCallContext, data: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::create";
        let mut params = self.params(2);
        params.string(&rendered(function, "data", data)?);
        whole(context, function, &host::call(&CREATE, function, &params)?.string()?)
    }

    fn get(&self, context: &NativeCallContext, id: Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::get";
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        found(context, function, &host::call(&GET, function, &params)?)
    }

    fn find(&self, context: &NativeCallContext, filter: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::find";
        document::all(context, function, &host::call(&FIND, function, &self.filtered(function, filter)?)?)
    }

    fn find_one(&self, context: &NativeCallContext, filter: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::find_one";
        found(context, function, &host::call(&FIND_ONE, function, &self.filtered(function, filter)?)?)
    }

    fn count(&self, filter: &Dynamic) -> Result<INT, Thrown> {
        let function = "docs::count";
        host::call(&COUNT, function, &self.filtered(function, filter)?)?.int()
    }

    fn update(&self, context: &NativeCallContext, id: Dynamic, data: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::update";
        let mut params = self.params(3);
        params.string(&args::string(function, "id", id)?).string(&rendered(function, "data", data)?);
        whole(context, function, &host::call(&UPDATE, function, &params)?.string()?)
    }

    fn patch(&self, context: &NativeCallContext, id: Dynamic, patch: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::patch";
        let mut params = self.params(3);
        params.string(&args::string(function, "id", id)?).string(&rendered(function, "patch", patch)?);
        whole(context, function, &host::call(&PATCH, function, &params)?.string()?)
    }

    fn delete(&self, id: Dynamic) -> Result<bool, Thrown> {
        let function = "docs::delete";
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        host::call(&DELETE, function, &params)?.bool()
    }

    /// The parameters of a function that takes a filter.
    fn filtered(&self, function: &str, filter: &Dynamic) -> Result<Writer, Thrown> {
        args::map(function, "filter", filter, |map| document::check(function, "filter", map))??;
        let mut params = self.params(2);
        params.value(filter).map_err(|error| fail(function, format_args!("filter: {error}")))?;
        if params.as_bytes().len() > MAX_FILTER {
            return Err(fail(function, format_args!("filter must have at most {MAX_FILTER} bytes")));
        }
        Ok(params)
    }
}

fn rendered(function: &str, param: &str, data: &Dynamic) -> Result<String, Thrown> {
    args::map(function, param, data, |map| document::render(function, param, map, MAX_DOCUMENT_BYTES))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::host::install;
    use crate::native::MemoryHost;
    use crate::testing::{eval, eval_with, thrown, values};

    fn thrown_by(call: &str) -> String {
        thrown(&format!("let c = docs::collection(\"c\"); {call}"))
    }

    #[test]
    fn wrong_types_are_refused_by_function_parameter_and_type() {
        assert_eq!(thrown("docs::collection(1)"), "docs::collection: name must be a string, not i64");
        assert_eq!(thrown("docs::collection(\"\")"), "docs::collection: name must not be empty");
        assert_eq!(thrown_by("c.create([])"), "docs::create: data must be a map, not array");
        assert_eq!(thrown_by("c.get(())"), "docs::get: id must be a string, not ()");
        assert_eq!(thrown_by("c.find(\"x\")"), "docs::find: filter must be a map, not string");
        assert_eq!(thrown_by("c.find_one(1)"), "docs::find_one: filter must be a map, not i64");
        assert_eq!(thrown_by("c.count(())"), "docs::count: filter must be a map, not ()");
        assert_eq!(thrown_by("c.update(1, #{})"), "docs::update: id must be a string, not i64");
        assert_eq!(thrown_by("c.update(\"x\", 1)"), "docs::update: data must be a map, not i64");
        assert_eq!(thrown_by("c.patch(\"x\", ())"), "docs::patch: patch must be a map, not ()");
        assert_eq!(thrown_by("c.delete(#{})"), "docs::delete: id must be a string, not map");
        assert_eq!(thrown_by("c.list(1)"), "docs::list: cursor must be a string, not i64");
        assert_eq!(thrown_by("c.list(\"\", 1001)"), "docs::list: limit must be 1 to 1000, not 1001");
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        assert_eq!(
            thrown_by("c.create(#{ a: [#{ photo: blob(3) }] })"),
            "docs::create: data.a[0].photo is of type blob, which is not JSON"
        );
        assert_eq!(
            thrown_by("c.update(\"x\", #{ a: 0.0/0.0 })"),
            "docs::update: data.a is NaN, which is not JSON"
        );
        assert_eq!(
            thrown_by("c.patch(\"x\", #{ a: \"\\x00\" })"),
            "docs::patch: patch.a holds a NUL character, which cannot be stored"
        );
        assert_eq!(
            thrown_by("c.find(#{ \"$or\": [#{ a: blob() }] })"),
            "docs::find: filter[\"$or\"][0].a is of type blob, which is not JSON"
        );
    }

    #[test]
    fn documents_and_filters_have_their_bounds() {
        let long = "let s = \"\"; s.pad(200000, 'x'); ";
        assert_eq!(
            thrown_by("let s = \"\"; s.pad(200000, '\\x01'); c.create(#{ a: s })"),
            "docs::create: data must have at most 1048576 bytes as JSON"
        );
        assert_eq!(
            thrown_by(&format!("{long} c.find(#{{ a: s }})")),
            "docs::find: filter must have at most 49152 bytes"
        );
    }

    #[test]
    fn changing_a_document_that_is_not_there_throws() {
        assert_eq!(thrown_by("c.update(\"none\", #{})"), "docs::update: no such document");
        assert_eq!(thrown_by("c.patch(\"none\", #{})"), "docs::patch: no such document");
    }

    #[test]
    fn more_documents_than_a_script_may_have_are_refused() {
        let script = "let c = docs::collection(\"large\"); let s = \"\"; s.pad(200000, 'x'); \
                      c.create(#{ s: s }); c.create(#{ s: s });";
        assert_eq!(
            thrown(&format!("{script} c.find(#{{}})")),
            "docs::find: the result is larger than a script may have it (max_string_size)"
        );
        assert!(thrown(&format!("{script} c.list()")).starts_with("docs::list: the result is larger"));
    }

    #[test]
    fn a_document_larger_than_a_script_may_have_it_is_refused_where_it_can_be_caught() {
        let script = "let c = docs::collection(\"whole\"); let s = \"\"; s.pad(200000, 'x'); \
                      let made = c.create(#{ s: s });";
        for (call, function) in [
            ("c.patch(made.id, #{ t: s })", "patch"),
            ("try { c.patch(made.id, #{ t: s }); } catch {} c.get(made.id)", "get"),
            ("try { c.patch(made.id, #{ t: s }); } catch {} c.find_one(#{})", "find_one"),
        ] {
            install(MemoryHost::default());
            assert_eq!(
                thrown(&format!("{script} {call}")),
                format!("docs::{function}: the result is larger than a script may have it (max_string_size)")
            );
        }
    }

    #[test]
    fn integers_of_64_bits_and_whole_floats_keep_their_types() {
        assert!(eval::<bool>(
            "let c = docs::collection(\"c\"); \
             let data = c.create(#{ a: 9223372036854775807, b: 1.0, c: 1e17, d: -9007199254740993 }).data; \
             data.a == 9223372036854775807 && type_of(data.b) == \"f64\" && type_of(data.c) == \"f64\" \
             && data.d == -9007199254740993"
        ));
    }

    #[test]
    fn a_list_is_paged_to_its_end() {
        let script = r#"
            const C = docs::collection("paged");
            for i in 0..7 { C.create(#{ i: i }); }
            let seen = []; let cursor = "";
            while cursor != () {
                let page = C.list(cursor, 3);
                seen += page.docs.map(|d| d.data.i);
                cursor = page.next_cursor;
            }
            seen == [0, 1, 2, 3, 4, 5, 6] && C.list().docs.len() == 7
        "#;
        assert!(eval::<bool>(script));
    }

    proptest! {
        #[test]
        fn what_is_created_is_got(value in values()) {
            let same: bool = eval_with(
                "let c = docs::collection(\"any\"); \
                 try { let made = c.create(#{ x: x }); json::stringify(c.get(made.id).data.x) == json::stringify(x) } \
                 catch (error) { error.contains(\"NUL\") }",
                value,
            );
            prop_assert!(same);
        }
    }
}

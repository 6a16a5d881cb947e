//! `docs::` the app's documents: JSON that can be searched.

use rhai::{Dynamic, Engine, INT, ImmutableString, NativeCallContext};

use crate::args;
use crate::data_size::DataSize;
use crate::error::{Thrown, fail};
use crate::handle::{self, Handle, method};
use crate::host;
use crate::imports::docs::{COUNT, CREATE, DELETE, FIND, FIND_ONE, GET, LIST, PATCH, UPDATE};
use crate::limits::MAX_DOCUMENT_BYTES;
use crate::stored_json::{self, Column, parse, parse_optional};
use crate::wire::Writer;

/// How many bytes a filter may have on its way to the host.
const MAX_FILTER: usize = 48 * 1024;

/// What an envelope counts around its data, with the cursor behind it.
const ENVELOPE: DataSize = DataSize { string_bytes: 36 + 24 + 24 + 36, elements: 0, entries: 4 };

/// The handle that `docs::collection` returns.
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

/// Registers the namespace and the methods of its handle.
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
    handle::pages::<Collection>(engine, "docs::list", &LIST, stored_json::parse_page);
}

impl Collection {
    fn create(&self, context: &NativeCallContext, data: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::create";
        let mut params = self.params(2);
        params.string(&to_store(context, function, data)?);
        parse(context, function, &host::call(&CREATE, function, &params)?.string()?)
    }

    fn get(&self, context: &NativeCallContext, id: Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::get";
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        parse_optional(context, function, &host::call(&GET, function, &params)?)
    }

    fn find(&self, context: &NativeCallContext, filter: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::find";
        stored_json::parse_found(
            context,
            function,
            &host::call(&FIND, function, &self.filtered(function, filter)?)?,
        )
    }

    fn find_one(&self, context: &NativeCallContext, filter: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::find_one";
        parse_optional(
            context,
            function,
            &host::call(&FIND_ONE, function, &self.filtered(function, filter)?)?,
        )
    }

    fn count(&self, filter: &Dynamic) -> Result<INT, Thrown> {
        let function = "docs::count";
        host::call(&COUNT, function, &self.filtered(function, filter)?)?.int()
    }

    fn update(&self, context: &NativeCallContext, id: Dynamic, data: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::update";
        let mut params = self.params(3);
        params.string(&args::string(function, "id", id)?).string(&to_store(context, function, data)?);
        parse(context, function, &host::call(&UPDATE, function, &params)?.string()?)
    }

    fn patch(&self, context: &NativeCallContext, id: Dynamic, patch: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "docs::patch";
        let mut params = self.params(3);
        params.string(&args::string(function, "id", id)?).string(&rendered(function, "patch", patch)?);
        parse(context, function, &host::call(&PATCH, function, &params)?.string()?)
    }

    fn delete(&self, id: Dynamic) -> Result<bool, Thrown> {
        let function = "docs::delete";
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        host::call(&DELETE, function, &params)?.bool()
    }

    /// The parameters of a function that takes a filter.
    fn filtered(&self, function: &str, filter: &Dynamic) -> Result<Writer, Thrown> {
        args::map(function, "filter", filter, |map| stored_json::check(function, "filter", map))??;
        let mut params = self.params(2);
        params.value(filter).map_err(|error| fail(function, format_args!("filter: {error}")))?;
        if params.as_bytes().len() > MAX_FILTER {
            return Err(fail(function, format_args!("filter must have at most {MAX_FILTER} bytes")));
        }
        Ok(params)
    }
}

fn rendered(function: &str, param: &str, data: &Dynamic) -> Result<String, Thrown> {
    args::map(function, param, data, |map| {
        stored_json::render(function, param, map, MAX_DOCUMENT_BYTES, Column::Jsonb)
    })?
}

/// The data of a whole document. What a patch results in, the host checks.
fn to_store(context: &NativeCallContext, function: &str, data: &Dynamic) -> Result<String, Thrown> {
    let json = rendered(function, "data", data)?;
    stored_json::check_size(context, function, "data", &json, ENVELOPE)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::error::{empty, mismatch, out_of_range, result_too_large};
    use crate::host::install;
    use crate::native::MemoryHost;
    use crate::testing::{eval, eval_with, message, thrown, values};

    fn thrown_by(call: &str) -> String {
        thrown(&format!("let c = docs::collection(\"c\"); {call}"))
    }

    #[test]
    fn parameters_of_the_wrong_type_throw() {
        assert_eq!(
            thrown("docs::collection(1)"),
            message(mismatch("docs::collection", "name", "a string", "i64"))
        );
        assert_eq!(thrown("docs::collection(\"\")"), message(empty("docs::collection", "name")));
        assert_eq!(thrown_by("c.create([])"), message(mismatch("docs::create", "data", "a map", "array")));
        assert_eq!(thrown_by("c.get(())"), message(mismatch("docs::get", "id", "a string", "()")));
        assert_eq!(thrown_by("c.find(\"x\")"), message(mismatch("docs::find", "filter", "a map", "string")));
        assert_eq!(thrown_by("c.find_one(1)"), message(mismatch("docs::find_one", "filter", "a map", "i64")));
        assert_eq!(thrown_by("c.count(())"), message(mismatch("docs::count", "filter", "a map", "()")));
        assert_eq!(thrown_by("c.update(1, #{})"), message(mismatch("docs::update", "id", "a string", "i64")));
        assert_eq!(
            thrown_by("c.update(\"x\", 1)"),
            message(mismatch("docs::update", "data", "a map", "i64"))
        );
        assert_eq!(thrown_by("c.patch(\"x\", ())"), message(mismatch("docs::patch", "patch", "a map", "()")));
        assert_eq!(thrown_by("c.delete(#{})"), message(mismatch("docs::delete", "id", "a string", "map")));
        assert_eq!(thrown_by("c.list(1)"), message(mismatch("docs::list", "cursor", "a string", "i64")));
        assert_eq!(
            thrown_by("c.list(\"\", 1001)"),
            message(out_of_range("docs::list", "limit", 1, 1000, 1001))
        );
    }

    #[test]
    fn invalid_json_throws_with_the_position() {
        for (call, place) in [
            ("c.create(#{ a: [#{ photo: blob(3) }] })", "docs::create: data.a[0].photo "),
            ("c.update(\"x\", #{ a: 0.0/0.0 })", "docs::update: data.a "),
            ("c.patch(\"x\", #{ a: \"\\x00\" })", "docs::patch: patch.a "),
            ("c.find(#{ \"$or\": [#{ a: blob() }] })", "docs::find: filter[\"$or\"][0].a "),
        ] {
            let told = thrown_by(call);
            assert!(told.starts_with(place), "{told}");
        }
    }

    #[test]
    fn documents_and_filters_are_bounded() {
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
    fn changing_an_absent_document_throws() {
        assert_eq!(thrown_by("c.update(\"none\", #{})"), "docs::update: no such document");
        assert_eq!(thrown_by("c.patch(\"none\", #{})"), "docs::patch: no such document");
    }

    #[test]
    fn lists_and_searches_end_at_the_limits() {
        install(MemoryHost::default());
        assert!(eval::<bool>(
            "let c = docs::collection(\"large\"); let s = \"\"; s.pad(100000, 'x'); \
             for n in 0..5 { c.create(#{ n: n, s: s }); } \
             let pages = []; let cursor = \"\"; \
             while cursor != () { let page = c.list(cursor); pages.push(page.docs.map(|d| d.data.n)); cursor = page.next_cursor; } \
             let found = c.find(#{}); let one = c.find(#{ n: 3 }); \
             pages == [[0, 1], [2, 3], [4]] && found.map(|d| d.data.n) == [0, 1] \
             && !(\"more\" in found[0]) && found[1].more && one.len() == 1 && !(\"more\" in one[0])"
        ));
    }

    #[test]
    fn a_document_over_the_limits_is_listed_without_its_data() {
        install(MemoryHost::default());
        assert!(eval::<bool>(
            "let c = docs::collection(\"large\"); let s = \"\"; s.pad(200000, 'x'); \
             let made = c.create(#{ s: s }); c.create(#{ n: 2 }); \
             try { c.patch(made.id, #{ t: s }); } catch {} \
             let stub = #{ id: made.id, data: (), created_at: made.created_at, updated_at: made.updated_at, too_large: true }; \
             let page = c.list(); \
             page.docs[0] == stub && page.docs[1].data.n == 2 && page.next_cursor == () \
             && c.find(#{})[0] == stub && c.find(#{}).len() == 2 && c.delete(made.id)"
        ));
    }

    #[test]
    fn data_that_could_not_be_read_back_is_refused() {
        for (data, exceeded) in [
            ("#{ a: \"\" }; d.a.pad(262025, 'x')", "262144 bytes (max_string_size)"),
            ("#{ a: [] }; d.a.pad(10000, 1)", "10000 elements (max_array_size)"),
            ("#{}; for i in 0..9994 { d[`${i}`] = i; }", "10000 entries (max_map_size)"),
        ] {
            for call in ["create(d)", "update(\"x\", d)"] {
                let told = thrown_by(&format!("let d = {data}; c.{call}"));
                let function = call.split('(').next().unwrap();
                assert!(
                    told.starts_with(&format!("docs::{function}: data is too large to be read back: ")),
                    "{told}"
                );
                assert!(told.contains(exceeded), "{told}");
            }
        }
        install(MemoryHost::default());
        assert!(eval::<bool>(
            "let c = docs::collection(\"edge\"); let d = #{ a: \"\" }; d.a.pad(262024, 'x'); let made = c.create(d); \
             let e = #{ a: [] }; e.a.pad(9999, 1); c.create(e); \
             c.list().docs[0].data == d && c.list(c.list().next_cursor).docs[0].data == e && c.find(#{})[0].data == d \
             && c.get(made.id).data == d"
        ));
    }

    #[test]
    fn negative_zero_stays() {
        assert_eq!(
            eval::<String>(
                "let c = docs::collection(\"zero\"); \
                 let data = c.get(c.create(#{ a: -0.0, b: [-0.0, 0.0], c: \"0.00\" }).id).data; json::stringify(data)"
            ),
            r#"{"a":-0.0,"b":[-0.0,0.0],"c":"0.00"}"#
        );
    }

    #[test]
    fn a_document_over_the_limits_throws_catchably() {
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
                message(result_too_large(&format!("docs::{function}"), 262_144, "bytes", "max_string_size"))
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
        fn documents_are_returned_as_they_were_created(value in values()) {
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

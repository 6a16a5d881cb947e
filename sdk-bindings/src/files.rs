//! `files::` the app's files.

use rhai::{Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use crate::args;
use crate::blob::Blob;
use crate::data_size::DataSize;
use crate::error::{Thrown, required, too_long};
use crate::handle::{self, Handle, method};
use crate::host;
use crate::imports::files::{CREATE, CREATE_FROM_REQUEST, DELETE, GET, HEAD, LIST, UPDATE};
use crate::limits::{MAX_CONTENT_TYPE_BYTES, MAX_FILE_BYTES, MAX_FILE_METADATA_BYTES, MAX_FILE_NAME_BYTES};
use crate::request;
use crate::sizes;
use crate::stored_json::{self, Column, parse, parse_optional};
use crate::wire::Writer;

/// The handle that `files::collection` returns.
#[derive(Clone)]
struct Collection {
    name: ImmutableString,
}

impl Handle for Collection {
    const FUNCTION: &'static str = "files::collection";

    fn new(name: ImmutableString) -> Self {
        Self { name }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// A file as a response body, which the host sends without passing it through the guest.
#[derive(Clone)]
pub struct File {
    pub collection: ImmutableString,
    pub id: ImmutableString,
}

/// Registers the namespace and the methods of its handle.
pub fn register(engine: &mut Engine) {
    handle::register::<Collection>(engine);
    engine.register_type_with_name::<File>("file");
    method("create")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, file: Dynamic| {
            c.create(&context, &file)
        });
    method("create_from_request").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, file: Dynamic| {
            c.create_from_request(&context, &file)
        },
    );
    method("head")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, id: Dynamic| {
            c.head(&context, "files::head", id)
        });
    method("get")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, id: Dynamic| {
            c.get(&context, id)
        });
    method("update").register_into_engine(
        engine,
        |context: NativeCallContext, c: &mut Collection, id: Dynamic, change: Dynamic| {
            c.update(&context, id, &change)
        },
    );
    method("delete").register_into_engine(engine, |c: &mut Collection, id: Dynamic| c.delete(id));
    method("response")
        .register_into_engine(engine, |context: NativeCallContext, c: &mut Collection, id: Dynamic| {
            c.response(&context, id)
        });
    handle::pages::<Collection>(engine, "files::list", &LIST, stored_json::parse_page);
}

impl Collection {
    fn create(&self, context: &NativeCallContext, file: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::create";
        args::map(function, "file", file, |map| {
            let fields = Fields::read(context, function, map, &["name", "data", "content_type", "metadata"])?;
            let name = fields.name.ok_or_else(|| required(function, "name"))?;
            let data = given(map, "data").ok_or_else(|| required(function, "data"))?;
            let usual =
                if data.is_string() { "text/plain; charset=utf-8" } else { "application/octet-stream" };
            let content_type = fields.content_type.as_deref().unwrap_or(usual);
            if request::is_body(data) {
                return self.store_request(
                    context,
                    function,
                    &name,
                    Some(content_type),
                    fields.metadata.as_deref(),
                );
            }
            let mut params = self.params(5);
            params.string(&name).string(content_type).optional_string(fields.metadata.as_deref());
            write_data(function, &mut params, data)?;
            parse(context, function, &host::call(&CREATE, function, &params)?.string()?)
        })?
    }

    fn create_from_request(&self, context: &NativeCallContext, file: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::create_from_request";
        args::map(function, "file", file, |map| {
            let fields = Fields::read(context, function, map, &["name", "content_type", "metadata"])?;
            let name = fields.name.ok_or_else(|| required(function, "name"))?;
            self.store_request(
                context,
                function,
                &name,
                fields.content_type.as_deref(),
                fields.metadata.as_deref(),
            )
        })?
    }

    fn store_request(
        &self,
        context: &NativeCallContext,
        function: &str,
        name: &str,
        content_type: Option<&str>,
        metadata: Option<&str>,
    ) -> Result<Dynamic, Thrown> {
        let mut params = self.params(4);
        params.string(name).optional_string(content_type).optional_string(metadata);
        parse(context, function, &host::call(&CREATE_FROM_REQUEST, function, &params)?.string()?)
    }

    fn head(&self, context: &NativeCallContext, function: &str, id: Dynamic) -> Result<Dynamic, Thrown> {
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        parse_optional(context, function, &host::call(&HEAD, function, &params)?)
    }

    fn get(&self, context: &NativeCallContext, id: Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::get";
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        let reply = host::call(&GET, function, &params)?;
        let parts = reply.read(|reader| {
            if reader.nil() {
                return Ok(None);
            }
            let (mut file, mut data) = ("", 0..0);
            for _ in 0..reader.map()? {
                match reader.string()? {
                    "data" => data = reply.range(reader.bytes()?),
                    _ => file = reader.string()?,
                }
            }
            Ok(Some((file, data)))
        })?;
        let Some((file, data)) = parts else { return Ok(Dynamic::UNIT) };
        let mut file = parse(context, function, file)?;
        if let Some(mut map) = file.write_lock::<Map>() {
            map.insert("data".into(), Blob::within(reply.into_vec(), data));
        }
        sizes::check_value(context, function, file)
    }

    fn update(&self, context: &NativeCallContext, id: Dynamic, change: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::update";
        let id = args::string(function, "id", id)?;
        args::map(function, "change", change, |map| {
            let fields = Fields::read(context, function, map, &["name", "data", "content_type", "metadata"])?;
            let mut params = self.params(6);
            params.string(&id).optional_string(fields.name.as_deref());
            params
                .optional_string(fields.content_type.as_deref())
                .optional_string(fields.metadata.as_deref());
            match given(map, "data") {
                Some(data) => write_data(function, &mut params, data)?,
                None => drop(params.nil()),
            }
            parse(context, function, &host::call(&UPDATE, function, &params)?.string()?)
        })?
    }

    fn delete(&self, id: Dynamic) -> Result<bool, Thrown> {
        let function = "files::delete";
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        host::call(&DELETE, function, &params)?.bool()
    }

    fn response(&self, context: &NativeCallContext, id: Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::response";
        let id = args::string(function, "id", id)?;
        if self.head(context, function, id.clone().into())?.is_unit() {
            return Ok(Dynamic::UNIT);
        }
        Ok(Dynamic::from(File { collection: self.name.clone(), id }))
    }
}

/// The fields of a file other than its data.
struct Fields {
    name: Option<ImmutableString>,
    content_type: Option<ImmutableString>,
    /// JSON.
    metadata: Option<String>,
}

impl Fields {
    fn read(context: &NativeCallContext, function: &str, map: &Map, known: &[&str]) -> Result<Self, Thrown> {
        args::keys(function, "field", map, known)?;
        let text = |field: &str, most: usize| {
            given(map, field).map(|value| args::name(function, field, value.clone(), most)).transpose()
        };
        let metadata = given(map, "metadata").map(|value| {
            args::map(function, "metadata", value, |map| {
                let json =
                    stored_json::render(function, "metadata", map, MAX_FILE_METADATA_BYTES, Column::Json)?;
                let around = around_metadata(context.engine().max_array_size());
                stored_json::check_size(context, function, "metadata", &json, around).map(|()| json)
            })?
        });
        Ok(Self {
            name: text("name", MAX_FILE_NAME_BYTES)?,
            content_type: text("content_type", MAX_CONTENT_TYPE_BYTES)?,
            metadata: metadata.transpose()?,
        })
    }
}

/// The most that an entry counts around its metadata, with the cursor behind it, or with its data as a native blob.
fn around_metadata(max_array_size: usize) -> DataSize {
    DataSize {
        string_bytes: 36 + MAX_FILE_NAME_BYTES + MAX_CONTENT_TYPE_BYTES + 64 + 24 + 24 + 36,
        elements: max_array_size / 4 + 1,
        entries: 9,
    }
}

/// The value of a field. `()` counts as absent, so that scripts can pass optional values on.
fn given<'a>(map: &'a Map, field: &str) -> Option<&'a Dynamic> {
    map.get(field).filter(|value| !value.is_unit())
}

fn write_data(function: &str, params: &mut Writer, data: &Dynamic) -> Result<(), Thrown> {
    args::bytes(function, "data", data, |bytes| match bytes.len() {
        length if length > MAX_FILE_BYTES => Err(too_long(function, "data", MAX_FILE_BYTES, length)),
        _ => {
            params.bytes(bytes);
            Ok(())
        }
    })?
}

#[cfg(test)]
mod tests {
    use crate::error::{mismatch, out_of_range, required, too_long, unknown_key};
    use crate::host::install;
    use crate::native::MemoryHost;
    use crate::testing::{eval, message, thrown};

    fn thrown_by(call: &str) -> String {
        thrown(&format!("let c = files::collection(\"c\"); {call}"))
    }

    #[test]
    fn parameters_of_the_wrong_type_throw() {
        assert_eq!(
            thrown("files::collection(1)"),
            message(mismatch("files::collection", "name", "a string", "i64"))
        );
        assert_eq!(thrown_by("c.create(1)"), message(mismatch("files::create", "file", "a map", "i64")));
        assert_eq!(
            thrown_by("c.create(#{ name: 1, data: \"\" })"),
            message(mismatch("files::create", "name", "a string", "i64"))
        );
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: 1 })"),
            message(mismatch("files::create", "data", "a string or a blob", "i64"))
        );
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: \"\", metadata: 1 })"),
            message(mismatch("files::create", "metadata", "a map", "i64"))
        );
        assert_eq!(thrown_by("c.head(1)"), message(mismatch("files::head", "id", "a string", "i64")));
        assert_eq!(thrown_by("c.get(())"), message(mismatch("files::get", "id", "a string", "()")));
        assert_eq!(
            thrown_by("c.update(\"x\", 1)"),
            message(mismatch("files::update", "change", "a map", "i64"))
        );
        assert_eq!(thrown_by("c.delete([])"), message(mismatch("files::delete", "id", "a string", "array")));
        assert_eq!(
            thrown_by("c.response(c)"),
            message(mismatch("files::response", "id", "a string", "files::collection"))
        );
        assert_eq!(thrown_by("c.list(\"\", 0)"), message(out_of_range("files::list", "limit", 1, 1000, 0)));
    }

    #[test]
    fn a_missing_field_and_an_unknown_one_are_named() {
        assert_eq!(thrown_by("c.create(#{ data: \"\" })"), message(required("files::create", "name")));
        assert_eq!(thrown_by("c.create(#{ name: \"a\" })"), message(required("files::create", "data")));
        assert_eq!(
            thrown_by("c.create(#{ name: (), data: \"\" })"),
            message(required("files::create", "name"))
        );
        assert_eq!(
            thrown_by("c.create_from_request(#{})"),
            message(required("files::create_from_request", "name"))
        );
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: \"\", mime: \"x\" })"),
            message(unknown_key(
                "files::create",
                "field",
                "mime",
                &["name", "data", "content_type", "metadata"]
            ))
        );
        assert_eq!(
            thrown_by("c.create_from_request(#{ name: \"a\", data: \"\" })"),
            message(unknown_key(
                "files::create_from_request",
                "field",
                "data",
                &["name", "content_type", "metadata"]
            ))
        );
    }

    #[test]
    fn names_metadata_and_data_have_their_bounds() {
        assert_eq!(
            thrown_by("let n = \"\"; n.pad(256, 'n'); c.create(#{ name: n, data: \"\" })"),
            message(too_long("files::create", "name", 255, 256))
        );
        assert_eq!(
            thrown_by(
                "let t = \"\"; t.pad(16384, 't'); c.create(#{ name: \"a\", data: \"\", metadata: #{ t: t } })"
            ),
            "files::create: metadata must have at most 16384 bytes as JSON"
        );
        assert!(
            thrown_by("c.create(#{ name: \"a\", data: \"\", metadata: #{ b: blob(1) } })")
                .starts_with("files::create: metadata.b ")
        );
        install(MemoryHost::with_request_body(vec![0; 10 * 1024 * 1024 + 1]));
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: request::body_raw() })"),
            message(too_long("files::create", "data", 10485760, 10485761))
        );
    }

    #[test]
    fn ten_mebibytes_go_in_and_come_out() {
        install(MemoryHost::with_request_body(vec![7; 10 * 1024 * 1024]));
        assert!(eval::<bool>(
            "let c = files::collection(\"c\"); let b = request::body_raw(); \
             let made = c.create(#{ name: \"a\", data: b }); let got = c.get(made.id); \
             type_of(got.data) == \"blob\" && got.data == b && got.size == b.len() \
             && crypto::sha256(got.data) == got.sha256"
        ));
    }

    #[test]
    fn the_body_of_the_request_is_stored_as_it_came() {
        install(MemoryHost::with_request_body(b"{\"a\": 1}"));
        assert!(eval::<bool>(
            "let made = files::collection(\"c\").create_from_request(#{ name: \"a\", content_type: \"x/y\" }); \
             made.size == 8 && made.content_type == \"x/y\""
        ));
    }

    #[test]
    fn omitted_fields_of_a_file_have_defaults() {
        assert!(eval::<bool>(
            "let c = files::collection(\"c\"); \
             let text = c.create(#{ name: \"a\", data: \"x\", content_type: (), metadata: () }); \
             let octets = c.create(#{ name: \"a\", data: blob(1) }); \
             text.content_type == \"text/plain; charset=utf-8\" && text.metadata == #{} \
             && octets.content_type == \"application/octet-stream\" \
             && c.update(octets.id, #{ data: \"xy\" }).content_type == \"application/octet-stream\""
        ));
        assert_eq!(thrown_by("c.update(\"none\", #{})"), "files::update: no such file");
    }
}

//! `files::` the app's files.

use rhai::{Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use crate::args;
use crate::blob::Blob;
use crate::document::{self, found, whole};
use crate::error::{Thrown, fail};
use crate::handle::{self, Handle, method};
use crate::host;
use crate::imports::files::{CREATE, CREATE_FROM_REQUEST, DELETE, GET, HEAD, LIST, UPDATE};
use crate::limits::{MAX_CONTENT_TYPE_BYTES, MAX_FILE_BYTES, MAX_FILE_METADATA_BYTES, MAX_FILE_NAME_BYTES};
use crate::request;
use crate::sizes;
use crate::wire::Writer;

/// What `files::collection` gives.
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

/// A file as the body of an answer, which the host sends by itself.
#[derive(Clone)]
pub struct File {
    pub collection: ImmutableString,
    pub id: ImmutableString,
}

/// Registers the namespace, and the methods of its handle.
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
    handle::pages::<Collection>(engine, "files::list", &LIST, document::page);
}

impl Collection {
    fn create(&self, context: &NativeCallContext, file: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::create";
        args::map(function, "file", file, |map| {
            let fields = Fields::read(function, map, &["name", "data", "content_type", "metadata"])?;
            let name = fields.name.ok_or_else(|| missing(function, "name"))?;
            let data = given(map, "data").ok_or_else(|| missing(function, "data"))?;
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
            whole(context, function, &host::call(&CREATE, function, &params)?.string()?)
        })?
    }

    fn create_from_request(&self, context: &NativeCallContext, file: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::create_from_request";
        args::map(function, "file", file, |map| {
            let fields = Fields::read(function, map, &["name", "content_type", "metadata"])?;
            let name = fields.name.ok_or_else(|| missing(function, "name"))?;
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
        whole(context, function, &host::call(&CREATE_FROM_REQUEST, function, &params)?.string()?)
    }

    fn head(&self, context: &NativeCallContext, function: &str, id: Dynamic) -> Result<Dynamic, Thrown> {
        let mut params = self.params(2);
        params.string(&args::string(function, "id", id)?);
        found(context, function, &host::call(&HEAD, function, &params)?)
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
        let mut file = whole(context, function, file)?;
        if let Some(mut map) = file.write_lock::<Map>() {
            map.insert("data".into(), Blob::within(reply.into_vec(), data));
        }
        sizes::check_value(context, function, file)
    }

    fn update(&self, context: &NativeCallContext, id: Dynamic, change: &Dynamic) -> Result<Dynamic, Thrown> {
        let function = "files::update";
        let id = args::string(function, "id", id)?;
        args::map(function, "change", change, |map| {
            let fields = Fields::read(function, map, &["name", "data", "content_type", "metadata"])?;
            let mut params = self.params(6);
            params.string(&id).optional_string(fields.name.as_deref());
            params
                .optional_string(fields.content_type.as_deref())
                .optional_string(fields.metadata.as_deref());
            match given(map, "data") {
                Some(data) => write_data(function, &mut params, data)?,
                None => drop(params.nil()),
            }
            whole(context, function, &host::call(&UPDATE, function, &params)?.string()?)
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

/// What a script says of a file, besides its data.
struct Fields {
    name: Option<ImmutableString>,
    content_type: Option<ImmutableString>,
    /// JSON.
    metadata: Option<String>,
}

impl Fields {
    fn read(function: &str, map: &Map, known: &[&str]) -> Result<Self, Thrown> {
        args::keys(function, "field", map, known)?;
        let text = |field: &str, most: usize| {
            given(map, field).map(|value| args::name(function, field, value.clone(), most)).transpose()
        };
        let metadata = given(map, "metadata").map(|value| {
            args::map(function, "metadata", value, |map| {
                document::render(function, "metadata", map, MAX_FILE_METADATA_BYTES)
            })?
        });
        Ok(Self {
            name: text("name", MAX_FILE_NAME_BYTES)?,
            content_type: text("content_type", MAX_CONTENT_TYPE_BYTES)?,
            metadata: metadata.transpose()?,
        })
    }
}

/// The value of a field; `()` is none, so that what may be absent elsewhere can be handed on.
fn given<'a>(map: &'a Map, field: &str) -> Option<&'a Dynamic> {
    map.get(field).filter(|value| !value.is_unit())
}

fn missing(function: &str, field: &str) -> Thrown {
    fail(function, format_args!("{field} is missing"))
}

fn write_data(function: &str, params: &mut Writer, data: &Dynamic) -> Result<(), Thrown> {
    args::bytes(function, "data", data, |bytes| match bytes.len() {
        length if length > MAX_FILE_BYTES => {
            Err(fail(function, format_args!("data must have at most {MAX_FILE_BYTES} bytes, not {length}")))
        }
        _ => {
            params.bytes(bytes);
            Ok(())
        }
    })?
}

#[cfg(test)]
mod tests {
    use crate::host::install;
    use crate::native::MemoryHost;
    use crate::testing::{eval, thrown};

    fn thrown_by(call: &str) -> String {
        thrown(&format!("let c = files::collection(\"c\"); {call}"))
    }

    #[test]
    fn wrong_types_are_refused_by_function_parameter_and_type() {
        assert_eq!(thrown("files::collection(1)"), "files::collection: name must be a string, not i64");
        assert_eq!(thrown_by("c.create(1)"), "files::create: file must be a map, not i64");
        assert_eq!(
            thrown_by("c.create(#{ name: 1, data: \"\" })"),
            "files::create: name must be a string, not i64"
        );
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: 1 })"),
            "files::create: data must be a string or a blob, not i64"
        );
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: \"\", metadata: 1 })"),
            "files::create: metadata must be a map, not i64"
        );
        assert_eq!(thrown_by("c.head(1)"), "files::head: id must be a string, not i64");
        assert_eq!(thrown_by("c.get(())"), "files::get: id must be a string, not ()");
        assert_eq!(thrown_by("c.update(\"x\", 1)"), "files::update: change must be a map, not i64");
        assert_eq!(thrown_by("c.delete([])"), "files::delete: id must be a string, not array");
        assert_eq!(thrown_by("c.response(c)"), "files::response: id must be a string, not collection");
        assert_eq!(thrown_by("c.list(\"\", 0)"), "files::list: limit must be 1 to 1000, not 0");
    }

    #[test]
    fn a_missing_field_and_an_unknown_one_are_named() {
        assert_eq!(thrown_by("c.create(#{ data: \"\" })"), "files::create: name is missing");
        assert_eq!(thrown_by("c.create(#{ name: \"a\" })"), "files::create: data is missing");
        assert_eq!(thrown_by("c.create(#{ name: (), data: \"\" })"), "files::create: name is missing");
        assert_eq!(thrown_by("c.create_from_request(#{})"), "files::create_from_request: name is missing");
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: \"\", mime: \"x\" })"),
            "files::create: unknown field mime; there are: name, data, content_type, metadata"
        );
        assert_eq!(
            thrown_by("c.create_from_request(#{ name: \"a\", data: \"\" })"),
            "files::create_from_request: unknown field data; there are: name, content_type, metadata"
        );
    }

    #[test]
    fn names_metadata_and_data_have_their_bounds() {
        assert_eq!(
            thrown_by("let n = \"\"; n.pad(256, 'n'); c.create(#{ name: n, data: \"\" })"),
            "files::create: name must have at most 255 bytes, not 256"
        );
        assert_eq!(
            thrown_by(
                "let t = \"\"; t.pad(16384, 't'); c.create(#{ name: \"a\", data: \"\", metadata: #{ t: t } })"
            ),
            "files::create: metadata must have at most 16384 bytes as JSON"
        );
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: \"\", metadata: #{ b: blob(1) } })"),
            "files::create: metadata.b is of type blob, which is not JSON"
        );
        install(MemoryHost::with_request_body(vec![0; 10 * 1024 * 1024 + 1]));
        assert_eq!(
            thrown_by("c.create(#{ name: \"a\", data: request::body_raw() })"),
            "files::create: data must have at most 10485760 bytes, not 10485761"
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
    fn what_is_not_said_of_a_file_has_its_default() {
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

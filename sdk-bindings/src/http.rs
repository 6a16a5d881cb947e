//! `http::` requests to other servers.

use std::ops::Range;

use rhai::{Dynamic, Engine, FuncRegistration, Map, Module, NativeCallContext};

use crate::args;
use crate::blob::Blob;
use crate::body::Kind;
use crate::error::{Thrown, fail, mismatch};
use crate::host::{self, Reply};
use crate::imports::http::REQUEST;
use crate::json::{self, JsonError};
use crate::limits::MAX_HTTP_BODY_BYTES;
use crate::sizes;
use crate::wire::Writer;

mod options;

use options::Options;
pub use options::is_token;

/// The byte order mark of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Registers the namespace. All of it is volatile: no call may be answered while compiling.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    let volatile = |name: &str| FuncRegistration::new(name).with_volatility(true);
    for (name, function, method) in
        [("get", "http::get", "GET"), ("head", "http::head", "HEAD"), ("delete", "http::delete", "DELETE")]
    {
        volatile(name).set_into_module(&mut module, move |context: NativeCallContext, url: Dynamic| {
            send(&context, function, method, url, Dynamic::UNIT, None)
        });
        volatile(name).set_into_module(
            &mut module,
            move |context: NativeCallContext, url: Dynamic, options: Dynamic| {
                send(&context, function, method, url, Dynamic::UNIT, Some(&options))
            },
        );
    }
    for (name, function, method) in
        [("post", "http::post", "POST"), ("put", "http::put", "PUT"), ("patch", "http::patch", "PATCH")]
    {
        volatile(name).set_into_module(
            &mut module,
            move |context: NativeCallContext, url: Dynamic, body: Dynamic| {
                send(&context, function, method, url, body, None)
            },
        );
        volatile(name).set_into_module(
            &mut module,
            move |context: NativeCallContext, url: Dynamic, body: Dynamic, options: Dynamic| {
                send(&context, function, method, url, body, Some(&options))
            },
        );
    }
    volatile("request").set_into_module(
        &mut module,
        |context: NativeCallContext, method: Dynamic, url: Dynamic, body: Dynamic, options: Dynamic| {
            let function = "http::request";
            let method = args::name(function, "method", method, 32)?.to_ascii_uppercase();
            if !is_token(&method) {
                return Err(fail(function, format_args!("invalid method {method:?}")));
            }
            send(&context, function, &method, url, body, Some(&options))
        },
    );
    engine.register_static_module("http", module.into());
}

fn send(
    context: &NativeCallContext,
    function: &str,
    method: &str,
    url: Dynamic,
    body: Dynamic,
    options: Option<&Dynamic>,
) -> Result<Dynamic, Thrown> {
    let url = args::string(function, "url", url)?;
    let mut options = match options {
        Some(given) => args::map(function, "options", given, |map| Options::read(context, function, map))??,
        None => Options::default(),
    };
    let (content_type, body) = encode_body(function, body)?;
    let given = options.headers.iter_mut().find(|(name, _)| name == "content-type");
    match (given, content_type) {
        (Some((_, given)), _) if body.is_string() && is_text_without_charset(given) => {
            *given = format!("{}; charset=utf-8", given.trim_end_matches([';', ' '])).into();
        }
        (None, Some(content_type)) => options.headers.push(("content-type".into(), content_type.into())),
        _ => {}
    }
    let mut params = Writer::params(8);
    params.string(method).string(&with_query(&url, &options.query)).array(options.headers.len());
    for (name, value) in &options.headers {
        params.array(2).string(name).string(value);
    }
    params.optional_int(options.timeout_ms).bool(options.follow_redirects);
    let behind = 32 + options.secret.iter().map(|name| name.len() + 5).sum::<usize>();
    if body.is_unit() {
        params.nil();
    } else {
        args::bytes(function, "body", &body, |bytes| match bytes.len() {
            length if length > MAX_HTTP_BODY_BYTES => Err(too_large(function)),
            length => {
                params.reserve(length + behind);
                params.bytes(bytes);
                Ok(())
            }
        })??;
    }
    drop(body);
    params.array(options.secret.len());
    for name in &options.secret {
        params.string(name);
    }
    params.bool(options.redirect_body);
    let reply = host::call(&REQUEST, function, &params)?;
    drop(params);
    sizes::check_value(context, function, response(context, reply)?)
}

/// Encodes the body of a request: its default content type, and a string, a blob or `()`.
fn encode_body(function: &str, body: Dynamic) -> Result<(Option<&'static str>, Dynamic), Thrown> {
    if body.is_unit() {
        return Ok((None, body));
    }
    if body.is_map() || body.is_array() {
        let text = json::render(&body, MAX_HTTP_BODY_BYTES).map_err(|error| match error {
            JsonError::TooLong => too_large(function),
            JsonError::Unfit(message) => fail(function, format_args!("body: {message}")),
        })?;
        return Ok((Some("application/json"), text.into()));
    }
    if body.is_string() {
        return Ok((Some("text/plain; charset=utf-8"), body));
    }
    if Blob::is(&body) {
        return Ok((Some("application/octet-stream"), body));
    }
    Err(mismatch(function, "body", "a map, an array, a string, a blob or ()", body.type_name()))
}

/// Whether a string is sent as `text/...` without its charset, which is always UTF-8.
fn is_text_without_charset(content_type: &str) -> bool {
    let lower = content_type.trim_start().to_ascii_lowercase();
    lower.starts_with("text/") && !lower.contains("charset")
}

fn too_large(function: &str) -> Thrown {
    fail(function, format_args!("body must have at most {MAX_HTTP_BODY_BYTES} bytes"))
}

/// Appends `query` to the query of `url`.
fn with_query(url: &str, query: &str) -> String {
    if query.is_empty() {
        return url.into();
    }
    let (address, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let joint = match address.find('?') {
        None => "?",
        Some(_) if address.ends_with(['?', '&']) => "",
        Some(_) => "&",
    };
    format!("{address}{joint}{query}{fragment}")
}

/// The response as a map.
fn response(context: &NativeCallContext, reply: Reply) -> Result<Dynamic, Thrown> {
    let (mut answer, body) = reply.read(|reader| {
        let (mut answer, mut body) = (Map::new(), 0..0);
        for _ in 0..reader.map()? {
            match reader.string()? {
                "body" => body = reply.range(reader.bytes()?),
                name => drop(answer.insert(name.into(), reader.value()?)),
            }
        }
        Ok((answer, body))
    })?;
    let headers = answer.get("headers").and_then(|headers| headers.read_lock::<Map>());
    let content_type = headers.as_ref().and_then(|headers| headers.get("content-type"));
    let content_type = content_type.and_then(|value| value.clone().into_immutable_string().ok());
    drop(headers);
    let parsed = parse(context, &reply, &body, content_type.as_deref().unwrap_or_default());
    let raw = Blob::within(reply.into_vec(), body);
    answer.insert("body".into(), parsed.unwrap_or_else(|| raw.clone()));
    answer.insert("body_raw".into(), raw);
    Ok(answer.into())
}

/// Parses the body by its content type; None when it stays a blob.
///
/// A byte order mark is not part of JSON or text. Text stays a blob when the whole response exceeds `max_string_size`.
fn parse(
    context: &NativeCallContext,
    reply: &Reply,
    body: &Range<usize>,
    content_type: &str,
) -> Option<Dynamic> {
    let whole = reply.as_bytes();
    let bytes = &whole[body.clone()];
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let kind = Kind::of(content_type);
    if bytes.is_empty() {
        return Some(Dynamic::UNIT);
    }
    if kind == Kind::Json
        && let Ok(value) = json::parse(bytes)
    {
        return Some(value);
    }
    let longest = context.engine().max_string_size();
    if kind == Kind::Octets || (longest > 0 && whole.len() > longest) {
        return None;
    }
    std::str::from_utf8(bytes).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::with_query;
    use crate::error::{empty, mismatch, out_of_range, result_too_large, unknown_key};
    use crate::host::{Host, install};
    use crate::testing::{eval, message, thrown};
    use crate::wire::{Reader, Writer};

    type Calls = Rc<RefCell<Vec<String>>>;

    /// Answers every request with the same body and records the requests.
    struct Server {
        calls: Calls,
        content_type: &'static str,
        body: Vec<u8>,
    }

    impl Host for Server {
        fn call(&mut self, import: &str, params: &[u8]) -> Result<Vec<u8>, String> {
            assert_eq!(import, "http_request");
            self.calls.borrow_mut().push(format!("{:?}", Reader::new(params).value().unwrap()));
            let mut reply = Writer::new();
            reply.map(4).string("status").int(200).string("headers").map(1).string("content-type");
            reply
                .string(self.content_type)
                .string("body")
                .bytes(&self.body)
                .string("url")
                .string("http://x/");
            Ok(reply.into_bytes())
        }
    }

    fn served(content_type: &'static str, body: impl Into<Vec<u8>>) -> Calls {
        let calls = Calls::default();
        install(Server { calls: calls.clone(), content_type, body: body.into() });
        calls
    }

    /// What the host is asked by `call`.
    fn asked(call: &str) -> String {
        let calls = served("", "");
        eval::<rhai::Map>(call);
        calls.take().pop().unwrap()
    }

    #[test]
    fn a_request_has_the_options_of_the_script() {
        assert_eq!(asked("http::get(\"http://x/\")"), r#"["GET", "http://x/", [], (), true, (), [], false]"#);
        assert_eq!(
            asked(
                "http::head(\"http://x/\", #{ timeout_ms: 5, follow_redirects: false, headers: #{ \"X-A\": [\"b\", 1] } })"
            ),
            r#"["HEAD", "http://x/", [["x-a", "b"], ["x-a", "1"]], 5, false, (), [], false]"#
        );
        assert_eq!(
            asked("http::request(\"propfind\", \"http://x/\", (), #{})"),
            r#"["PROPFIND", "http://x/", [], (), true, (), [], false]"#
        );
        for (given, secret) in [("\"X-Sig\"", "x-sig"), ("[\"X-Sig\"]", "x-sig")] {
            assert_eq!(
                asked(&format!("http::get(\"http://x/\", #{{ secret: {given}, redirect_body: true }})")),
                format!(r#"["GET", "http://x/", [], (), true, (), ["{secret}"], true]"#)
            );
        }
    }

    #[test]
    fn a_body_brings_its_content_type_unless_one_is_set() {
        for (body, content_type, sent) in [
            ("#{ a: 1 }", "application/json", "7b2261223a317d"),
            ("[1]", "application/json", "5b315d"),
            ("\"text\"", "text/plain; charset=utf-8", "74657874"),
            ("blob(2)", "application/octet-stream", "0000"),
        ] {
            let request = asked(&format!("http::post(\"http://x/\", {body})"));
            assert!(request.contains(&format!(r#"["content-type", "{content_type}"]"#)), "{request}");
            assert!(
                asked(&format!(
                    "http::put(\"http://x/\", {body}, #{{ headers: #{{ \"Content-Type\": \"a/b\" }} }})"
                ))
                .contains(r#"[["content-type", "a/b"]]"#)
            );
            assert!(request.contains(sent), "{request}");
        }
        for (body, given, sent) in [
            ("\"<p>\"", "text/html", "text/html; charset=utf-8"),
            ("\"<p>\"", "Text/HTML; ", "Text/HTML; charset=utf-8"),
            ("\"<p>\"", "text/html; charset=x", "text/html; charset=x"),
            ("\"<p>\"", "image/svg+xml", "image/svg+xml"),
            ("blob(1)", "text/html", "text/html"),
        ] {
            let request = asked(&format!(
                "http::post(\"http://x/\", {body}, #{{ headers: #{{ \"Content-Type\": \"{given}\" }} }})"
            ));
            assert!(request.contains(&format!(r#"[["content-type", "{sent}"]]"#)), "{request}");
        }
        assert_eq!(
            asked("http::patch(\"http://x/\", ())"),
            r#"["PATCH", "http://x/", [], (), true, (), [], false]"#
        );
    }

    #[test]
    fn the_body_type_follows_the_content_type() {
        let show = "let a = http::get(\"http://x/\"); `${type_of(a.body)} ${a.body_raw.len()}`";
        for (content_type, body, expected) in [
            ("application/json", &b"{\"a\": 1}"[..], "map 8"),
            ("application/problem+json; charset=utf-8", b"[1]", "array 3"),
            ("application/json", b"\xef\xbb\xbf[1]", "array 6"),
            ("text/plain", b"\xef\xbb\xbfx", "string 4"),
            ("application/json", b"\xef\xbb\xbf", "() 3"),
            ("image/png", b"\xef\xbb\xbfx", "blob 4"),
            ("application/json", b"{broken", "string 7"),
            ("application/json", b"\xff", "blob 1"),
            ("text/html", b"<p>", "string 3"),
            ("text/html", b"\xff", "blob 1"),
            ("image/png", b"text", "blob 4"),
            ("", b"text", "blob 4"),
            ("application/json", b"", "() 0"),
        ] {
            served(content_type, body);
            assert_eq!(eval::<String>(show), expected, "{content_type}");
        }
    }

    #[test]
    fn a_large_response_is_a_blob_or_exceeds_the_limit() {
        let show = "let a = http::get(\"http://x/\"); `${type_of(a.body)} ${a.body_raw.len()}`";
        served("text/plain", vec![b'x'; 300_000]);
        assert_eq!(eval::<String>(show), "blob 300000");
        served("image/png", vec![0; 10 << 20]);
        assert_eq!(eval::<String>(show), "blob 10485760");
        for length in [2_000, 2_600, 5_100, 9_999] {
            served("image/png", vec![0; length]);
            assert_eq!(eval::<String>(show), format!("blob {length}"));
        }
        served("application/json", format!("[{}1]", "1,".repeat(9_000)));
        assert_eq!(eval::<String>(show), "array 18003");
        served("application/json", format!("[{}1]", "1,".repeat(10_001)));
        assert_eq!(thrown(show), message(result_too_large("http::get", 10000, "elements", "max_array_size")));
    }

    #[test]
    fn invalid_requests_throw() {
        served("", "");
        for (call, message) in [
            ("get(1)", message(mismatch("get", "url", "a string", "i64"))),
            ("get(\"u\", 1)", message(mismatch("get", "options", "a map", "i64"))),
            (
                "get(\"u\", #{ timeout: 1 })",
                message(unknown_key("get", "option", "timeout", &super::options::KNOWN)),
            ),
            ("get(\"u\", #{ timeout_ms: 0 })", message(out_of_range("get", "timeout_ms", 1, 60000, 0))),
            (
                "get(\"u\", #{ timeout_ms: 60001 })",
                message(out_of_range("get", "timeout_ms", 1, 60000, 60001)),
            ),
            (
                "get(\"u\", #{ follow_redirects: 1 })",
                message(mismatch("get", "follow_redirects", "a bool", "i64")),
            ),
            ("get(\"u\", #{ redirect_body: () })", message(mismatch("get", "redirect_body", "a bool", "()"))),
            (
                "get(\"u\", #{ secret: 1 })",
                message(mismatch("get", "secret", "a string or an array of strings", "i64")),
            ),
            ("get(\"u\", #{ secret: [\"a b\"] })", "get: invalid header name \"a b\"".to_string()),
            ("head(\"u\", #{ headers: [] })", message(mismatch("head", "headers", "a map", "array"))),
            (
                "head(\"u\", #{ headers: #{ \"a b\": \"\" } })",
                "head: invalid header name \"a b\"".to_string(),
            ),
            (
                "head(\"u\", #{ headers: #{ a: \"b\\nc\" } })",
                "head: header a contains a control character".to_string(),
            ),
            (
                "head(\"u\", #{ headers: #{ a: #{} } })",
                message(mismatch("head", "headers[\"a\"]", "a string or an array of strings", "map")),
            ),
            (
                "delete(\"u\", #{ query: #{ a: #{} } })",
                message(mismatch(
                    "delete",
                    "query.a",
                    "a string, a number, a bool, or an array of those",
                    "map",
                )),
            ),
            (
                "post(\"u\", 1)",
                message(mismatch("post", "body", "a map, an array, a string, a blob or ()", "i64")),
            ),
            (
                "put(\"u\", [blob(1)])",
                "put: body: a value of type blob cannot be written as JSON".to_string(),
            ),
            ("request(\"\", \"u\", (), #{})", message(empty("request", "method"))),
            ("request(\"A B\", \"u\", (), #{})", "request: invalid method \"A B\"".to_string()),
        ] {
            assert_eq!(thrown(&format!("http::{call}")), format!("http::{message}"));
        }
        let long = "let h = \"\"; h.pad(33000, 'h'); http::get(\"u\", #{ headers: #{ h: h } })";
        assert_eq!(thrown(long), "http::get: at most 100 headers with 32768 bytes in total can be sent");
    }

    #[test]
    fn a_query_joins_the_one_of_the_url() {
        for (url, expected) in [
            ("http://x", "http://x?a=1"),
            ("http://x/?", "http://x/?a=1"),
            ("http://x/?b", "http://x/?b&a=1"),
            ("http://x/?b&#f?", "http://x/?b&a=1#f?"),
            ("http://x/#f", "http://x/?a=1#f"),
        ] {
            assert_eq!(with_query(url, "a=1"), expected);
        }
        assert_eq!(with_query("http://x/#f", ""), "http://x/#f");
    }
}

//! The options of a request.

use rhai::{Array, Dynamic, INT, ImmutableString, Map, NativeCallContext};

use crate::args;
use crate::error::{Thrown, fail, mismatch};
use crate::limits::{MAX_HTTP_HEADERS, MAX_HTTP_TIMEOUT_MS};
use crate::url;

/// The keys of the map.
pub const KNOWN: [&str; 6] =
    ["headers", "query", "timeout_ms", "follow_redirects", "secret", "redirect_body"];
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The options of a request.
pub struct Options {
    /// Names in lower case.
    pub headers: Vec<(String, ImmutableString)>,
    /// Percent-encoded.
    pub query: String,
    pub timeout_ms: Option<INT>,
    pub follow_redirects: bool,
    /// Names of headers that stay with the first origin, in lower case.
    pub secret: Vec<String>,
    /// Whether a redirect to another origin gets the body.
    pub redirect_body: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            query: String::new(),
            timeout_ms: None,
            follow_redirects: true,
            secret: Vec::new(),
            redirect_body: false,
        }
    }
}

impl Options {
    pub fn read(context: &NativeCallContext, function: &str, map: &Map) -> Result<Self, Thrown> {
        args::keys(function, "option", map, &KNOWN)?;
        let mut options = Self::default();
        for (key, value) in map {
            match key.as_str() {
                "headers" => {
                    options.headers = args::map(function, "headers", value, |map| headers(function, map))??;
                }
                "query" => {
                    options.query = args::map(function, "query", value, |map| {
                        url::query(context, function, "query.", map)
                    })??;
                }
                "timeout_ms" => {
                    let milliseconds = args::size(function, "timeout_ms", value, 1, MAX_HTTP_TIMEOUT_MS)?;
                    options.timeout_ms = Some(milliseconds as INT);
                }
                "secret" => options.secret = names(function, value)?,
                "redirect_body" => options.redirect_body = boolean(function, key, value)?,
                _ => options.follow_redirects = boolean(function, key, value)?,
            }
        }
        Ok(options)
    }
}

fn boolean(function: &str, option: &str, value: &Dynamic) -> Result<bool, Thrown> {
    value.as_bool().map_err(|given| mismatch(function, option, "a bool", given))
}

/// The names in `secret`: a string or an array of strings.
fn names(function: &str, value: &Dynamic) -> Result<Vec<String>, Thrown> {
    let name = |value: &Dynamic| -> Result<String, Thrown> {
        let Ok(name) = value.as_immutable_string_ref() else {
            let expected = "a string or an array of strings";
            return Err(mismatch(function, "secret", expected, value.type_name()));
        };
        header_name(function, &name)
    };
    match value.read_lock::<Array>() {
        Some(values) if values.len() > MAX_HTTP_HEADERS => {
            Err(fail(function, format_args!("secret can name at most {MAX_HTTP_HEADERS} headers")))
        }
        Some(values) => values.iter().map(name).collect(),
        None => Ok(vec![name(value)?]),
    }
}

fn header_name(function: &str, name: &str) -> Result<String, Thrown> {
    let name = name.to_ascii_lowercase();
    match is_token(&name) {
        true => Ok(name),
        false => Err(fail(function, format_args!("invalid header name {name:?}"))),
    }
}

fn headers(function: &str, map: &Map) -> Result<Vec<(String, ImmutableString)>, Thrown> {
    let mut headers = Vec::with_capacity(map.len());
    for (name, value) in map {
        let name = header_name(function, name)?;
        match value.read_lock::<Array>() {
            Some(values) => {
                for value in values.iter() {
                    headers.push((name.clone(), header(function, &name, value)?));
                }
            }
            None => headers.push((name.clone(), header(function, &name, value)?)),
        }
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > MAX_HTTP_HEADERS || bytes > MAX_HEADER_BYTES {
        let most = format_args!(
            "at most {MAX_HTTP_HEADERS} headers with {MAX_HEADER_BYTES} bytes in total can be sent"
        );
        return Err(fail(function, most));
    }
    Ok(headers)
}

fn header(function: &str, name: &str, value: &Dynamic) -> Result<ImmutableString, Thrown> {
    if !(value.is_string() || value.is_int() || value.is_bool() || value.is_char()) {
        let expected = "a string or an array of strings";
        return Err(mismatch(function, &format!("headers[{name:?}]"), expected, value.type_name()));
    }
    let text = value.to_string();
    match text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        true => Err(fail(function, format_args!("header {name} contains a control character"))),
        false => Ok(text.into()),
    }
}

/// A token of RFC 9110, section 5.6.2: the name of a header, or a method.
pub fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

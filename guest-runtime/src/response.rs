//! The response that a script returned: status, headers and body.

use picloud_sdk::{
    blob::Blob,
    files::File,
    http::is_token,
    json::{self, JsonError},
    limits::RESERVED_RESPONSE_HEADERS,
    type_name,
    wire::Writer,
};
use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::failure::Failure;

/// Kinds of body. They decide the default content type.
const EMPTY: i64 = 0;
const JSON: i64 = 1;
const TEXT: i64 = 2;
const OCTETS: i64 = 3;
/// A file of the app, which the host sends. The body is MessagePack: collection and id.
const FILE: i64 = 4;

/// Writes status, headers, kind and body of a script's result.
///
/// A map with `statusCode` is the structured form; any other value is rendered as JSON.
pub fn write(writer: &mut Writer, result: &Dynamic, max_bytes: usize) -> Result<(), Failure> {
    if let Some(map) = result.read_lock::<Map>()
        && let Some(status) = map.get("statusCode")
    {
        let status = match status.as_int() {
            Ok(status @ 200..=599) => status,
            Ok(status) => return Err(invalid(format!("statusCode must be 200 to 599, not {status}"))),
            Err(kind) => {
                return Err(invalid(format!("statusCode must be an integer, not {}", type_name(kind))));
            }
        };
        writer.int(status);
        write_headers(writer, map.get("headers"))?;
        return write_body(writer, map.get("body").unwrap_or(&Dynamic::UNIT), max_bytes);
    }
    writer.int(200).map(0);
    write_json(writer, result, max_bytes)
}

fn write_headers(writer: &mut Writer, headers: Option<&Dynamic>) -> Result<(), Failure> {
    let Some(headers) = headers.filter(|headers| !headers.is_unit()) else {
        writer.map(0);
        return Ok(());
    };
    let Some(headers) = headers.read_lock::<Map>() else {
        return Err(invalid(format!("headers must be a map, not {}", type_name(headers.type_name()))));
    };
    writer.map(headers.len());
    for (name, value) in headers.iter() {
        let name = name.to_ascii_lowercase();
        if !is_token(&name) {
            return Err(invalid(format!("invalid header name {name:?}")));
        }
        if RESERVED_RESPONSE_HEADERS.contains(&name.as_str()) {
            return Err(invalid(format!("header {name} cannot be set by a script")));
        }
        writer.string(&name);
        match value.read_lock::<Array>() {
            Some(values) => {
                writer.array(values.len());
                for value in values.iter() {
                    writer.string(&header_value(&name, value)?);
                }
            }
            None => drop(writer.string(&header_value(&name, value)?)),
        }
    }
    Ok(())
}

fn header_value(name: &str, value: &Dynamic) -> Result<ImmutableString, Failure> {
    let text = if value.is_string() || value.is_int() || value.is_bool() || value.is_char() {
        ImmutableString::from(value.to_string())
    } else {
        return Err(invalid(format!(
            "header {name} must be a string or an array of strings, not {}",
            type_name(value.type_name())
        )));
    };
    if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(invalid(format!("header {name} contains a control character")));
    }
    Ok(text)
}

fn write_body(writer: &mut Writer, body: &Dynamic, max_bytes: usize) -> Result<(), Failure> {
    let check = |length: usize| if length > max_bytes { Err(too_large(max_bytes)) } else { Ok(()) };
    if body.is_unit() {
        writer.int(EMPTY).bytes(&[]);
    } else if let Some(text) = body.read_lock::<ImmutableString>() {
        check(text.len())?;
        writer.int(TEXT).bytes(text.as_bytes());
    } else if let Some(file) = body.read_lock::<File>() {
        let mut reference = Writer::new();
        reference.array(2).string(&file.collection).string(&file.id);
        writer.int(FILE).bytes(reference.as_bytes());
    } else {
        let written = Blob::with_bytes(body, |blob| {
            check(blob.len())?;
            writer.int(OCTETS).bytes(blob);
            Ok(())
        });
        return written.unwrap_or_else(|| write_json(writer, body, max_bytes));
    }
    Ok(())
}

fn write_json(writer: &mut Writer, value: &Dynamic, max_bytes: usize) -> Result<(), Failure> {
    match json::render(value, max_bytes) {
        Ok(text) => drop(writer.int(JSON).bytes(text.as_bytes())),
        Err(JsonError::TooLong) => return Err(too_large(max_bytes)),
        Err(JsonError::Unfit(message)) => return Err(invalid(message)),
    }
    Ok(())
}

fn invalid(message: String) -> Failure {
    Failure::new("response_invalid", message)
}

fn too_large(max_bytes: usize) -> Failure {
    invalid(format!("the response body is larger than {max_bytes} bytes"))
}

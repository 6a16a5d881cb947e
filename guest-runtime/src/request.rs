//! What the host sends to `run`, and how the body of a request becomes a value.

use picloud_sdk::{
    json,
    wire::{Reader, WireError},
};
use rhai::{Dynamic, Map};

use crate::failure::Failure;

/// The input of one execution.
pub struct Request<'a> {
    pub ctx: Map,
    pub body: Option<&'a [u8]>,
    pub content_type: Option<&'a str>,
    pub max_response_bytes: usize,
}

impl<'a> Request<'a> {
    /// Reads the MessagePack map of the interface.
    pub fn read(input: &'a [u8]) -> Result<Self, WireError> {
        let mut request =
            Self { ctx: Map::new(), body: None, content_type: None, max_response_bytes: 10 * 1024 * 1024 };
        let mut reader = Reader::new(input);
        for _ in 0..reader.map()? {
            match reader.string()? {
                "ctx" => request.ctx = reader.value()?.try_cast().unwrap_or_default(),
                "body" => request.body = reader.optional_bytes()?,
                "content_type" => request.content_type = reader.optional_string()?,
                "max_response_bytes" => {
                    request.max_response_bytes = usize::try_from(reader.int()?).unwrap_or(0);
                }
                _ => drop(reader.value()?),
            }
        }
        Ok(request)
    }

    /// The value of `ctx`, with the parsed body in it.
    pub fn into_ctx(self) -> Result<Dynamic, Failure> {
        let body = parse_body(self.body.unwrap_or_default(), self.content_type.unwrap_or_default())?;
        let mut ctx = self.ctx;
        if let Some(mut request) = ctx.get_mut("request").and_then(|value| value.write_lock::<Map>()) {
            request.insert("body".into(), body);
        }
        Ok(ctx.into())
    }
}

fn parse_body(body: &[u8], content_type: &str) -> Result<Dynamic, Failure> {
    if body.is_empty() {
        return Ok(Dynamic::UNIT);
    }
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type == "application/json" || media_type.ends_with("+json") {
        return json::parse(body).map_err(|reason| {
            Failure::new("request_invalid", format!("the request body is not valid JSON: {reason}"))
        });
    }
    let is_text = media_type.starts_with("text/")
        || media_type == "application/x-www-form-urlencoded"
        || media_type == "application/xml"
        || media_type.ends_with("+xml");
    match std::str::from_utf8(body) {
        Ok(text) if is_text => Ok(text.into()),
        _ => Ok(Dynamic::from_blob(body.to_vec())),
    }
}

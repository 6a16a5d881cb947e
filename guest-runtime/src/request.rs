//! The input of `run`, and parsing the body of the request.

use picloud_sdk::{
    blob::Blob,
    body::Kind,
    json,
    limits::DEFAULT_MAX_RESPONSE_BODY,
    request,
    wire::{Reader, WireError},
};
use rhai::{Dynamic, Engine, Map};

use crate::failure::Failure;

/// The body of the request: a short one is in the input, a longer one stays at the host.
pub enum Body<'a> {
    Here(&'a [u8]),
    AtHost(usize),
}

/// The input of one execution.
pub struct Request<'a> {
    pub ctx: Map,
    pub body: Body<'a>,
    pub content_type: Option<&'a str>,
    pub max_response_bytes: usize,
}

impl<'a> Request<'a> {
    /// Reads the MessagePack map from the host.
    pub fn read(input: &'a [u8]) -> Result<Self, WireError> {
        let mut request = Self {
            ctx: Map::new(),
            body: Body::Here(&[]),
            content_type: None,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BODY,
        };
        let mut reader = Reader::new(input);
        for _ in 0..reader.map()? {
            match reader.string()? {
                "ctx" => request.ctx = reader.value()?.try_cast().unwrap_or_default(),
                "body" => request.body = Body::Here(reader.optional_bytes()?.unwrap_or_default()),
                "body_length" => {
                    request.body = Body::AtHost(usize::try_from(reader.int()?).unwrap_or(0));
                }
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
    pub fn into_ctx(self, engine: &Engine) -> Result<Dynamic, Failure> {
        let body = self.body(engine)?;
        let mut ctx = self.ctx;
        if let Some(mut request) = ctx.get_mut("request").and_then(|value| value.write_lock::<Map>()) {
            request.insert("body".into(), body);
        }
        Ok(ctx.into())
    }

    /// Bytes that are not in the input stay at the host until the script reads them, and so does text that exceeds
    /// `max_string_size`.
    fn body(&self, engine: &Engine) -> Result<Dynamic, Failure> {
        let kind = Kind::of(self.content_type.unwrap_or_default());
        let longest = engine.max_string_size();
        match self.body {
            Body::Here(body) => parse_body(body, kind, longest),
            Body::AtHost(length) if kind == Kind::Octets || (kind == Kind::Text && length > longest) => {
                Ok(request::late_body(length))
            }
            Body::AtHost(_) => {
                let (reply, body) = request::body();
                parse_body(&reply[body], kind, longest)
            }
        }
    }
}

fn parse_body(body: &[u8], kind: Kind, longest: usize) -> Result<Dynamic, Failure> {
    if body.is_empty() {
        return Ok(Dynamic::UNIT);
    }
    if kind == Kind::Json {
        return json::parse(body).map_err(|reason| {
            Failure::new("request_invalid", format!("the request body is not valid JSON: {reason}"))
        });
    }
    match std::str::from_utf8(body) {
        Ok(text) if kind == Kind::Text && text.len() <= longest => Ok(text.into()),
        _ => Ok(Blob::of(body.to_vec())),
    }
}

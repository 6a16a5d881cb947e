//! A host in memory, for tests and the native benchmark. Not part of the wasm build.

mod docs;
mod files;
mod kv;
mod page;
mod vars;

use std::collections::BTreeMap;

use crate::host::Host;
use crate::wire::{Reader, WireError, Writer};

/// A host in memory: kv, documents, files and variables, a fixed clock, repeatable random bytes, HTTP servers that
/// echo the request, and the logged lines.
#[derive(Default)]
pub struct MemoryHost {
    /// MessagePack values by collection and key.
    pub kv: kv::Entries,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Level, message and JSON data of every line.
    pub lines: Vec<(String, String, Option<String>)>,
    /// The body of the request.
    pub request_body: Vec<u8>,
    /// The app's variables.
    pub vars: vars::Variables,
    /// Sources of modules by name; None for one that fails to load.
    pub modules: BTreeMap<String, Option<String>>,
    docs: docs::Documents,
    files: files::Files,
    seed: u64,
}

impl MemoryHost {
    /// A host of a request with this body.
    pub fn with_request_body(body: impl Into<Vec<u8>>) -> Self {
        Self { request_body: body.into(), ..Self::default() }
    }

    /// A host of an app with these variables.
    pub fn with_vars(vars: &[(&str, &str)]) -> Self {
        let vars = vars.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Self { vars, ..Self::default() }
    }
}

impl Host for MemoryHost {
    fn call(&mut self, import: &str, params: &[u8]) -> Result<Vec<u8>, String> {
        let mut reader = Reader::new(params);
        let mut reply = Writer::new();
        reader
            .array()
            .and_then(|_| self.answer(import, &mut reader, &mut reply))
            .map_err(|error| error.to_string())??;
        Ok(reply.into_bytes())
    }
}

impl MemoryHost {
    fn answer(
        &mut self,
        import: &str,
        reader: &mut Reader<'_>,
        reply: &mut Writer,
    ) -> Result<Result<(), String>, WireError> {
        match import {
            "log_write" => {
                let (level, message) = (reader.string()?.into(), reader.string()?.into());
                self.lines.push((level, message, reader.optional_string()?.map(Into::into)));
                reply.nil();
            }
            "log_private" => {
                reply.nil();
            }
            "time_now" => {
                reply.int(self.now_ms);
            }
            "random_bytes" => {
                let count = usize::try_from(reader.int()?).unwrap_or(0);
                let bytes: Vec<u8> = (0..count).map(|_| self.next_byte()).collect();
                reply.bytes(&bytes);
            }
            "request_body" => {
                reply.bytes(&self.request_body);
            }
            "module_source" => match self.modules.get(reader.string()?) {
                Some(Some(source)) => drop(reply.bytes(source.as_bytes())),
                Some(None) => return Ok(Err("the disk failed".into())),
                None => drop(reply.nil()),
            },
            "http_request" => {
                let (method, url) = (reader.string()?, reader.string()?);
                reply.map(4).string("status").int(200).string("url").string(url);
                reply.string("headers").map(1).string("content-type").string("text/plain");
                reply.string("body").bytes(format!("{method} {url}").as_bytes());
            }
            name if name.starts_with("kv_") => return kv::answer(&mut self.kv, name, reader, reply),
            name if name.starts_with("vars_") => return vars::answer(&self.vars, name, reader, reply),
            name if name.starts_with("docs_") => return self.docs.answer(name, reader, reply),
            name if name.starts_with("files_") => {
                return self.files.answer(name, &self.request_body, reader, reply);
            }
            _ => return Ok(Err(format!("no host function {import}"))),
        }
        Ok(Ok(()))
    }

    fn next_byte(&mut self) -> u8 {
        // Knuth's 64-bit linear congruential generator: repeatable, and good enough to look random.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 56) as u8
    }
}

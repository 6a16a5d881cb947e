//! Files in memory.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::page::{NOW, id, page};
use crate::{
    json,
    wire::{Reader, WireError, Writer},
};

/// Files by collection and id.
#[derive(Default)]
pub struct Files {
    kept: BTreeMap<(String, String), File>,
    made: usize,
}

struct File {
    name: String,
    content_type: String,
    /// JSON.
    metadata: String,
    data: Vec<u8>,
}

impl Files {
    pub fn answer(
        &mut self,
        import: &str,
        request_body: &[u8],
        reader: &mut Reader<'_>,
        reply: &mut Writer,
    ) -> Result<Result<(), String>, WireError> {
        let collection = reader.string()?.to_owned();
        if matches!(import, "files_create" | "files_create_from_request") {
            self.made += 1;
            let file = File {
                name: reader.string()?.into(),
                content_type: reader.optional_string()?.unwrap_or_default().into(),
                metadata: reader.optional_string()?.unwrap_or("{}").into(),
                data: if import == "files_create" { reader.bytes()? } else { request_body }.to_vec(),
            };
            let at = (collection, id(self.made));
            reply.string(&file.entry(&at.1));
            self.kept.insert(at, file);
            return Ok(Ok(()));
        }
        if import == "files_list" {
            let (cursor, limit) = (reader.optional_string()?.unwrap_or_default(), reader.int()?);
            let kept = self.kept.iter().filter(|((name, id), _)| *name == collection && id.as_str() > cursor);
            let kept = kept.map(|((_, id), file)| (id.clone(), file.entry(id)));
            page(reply, "files", kept, usize::try_from(limit).unwrap_or(0));
            return Ok(Ok(()));
        }
        let at = (collection, reader.string()?.to_owned());
        match (import, self.kept.get_mut(&at)) {
            ("files_head", file) => {
                reply.optional_string(file.map(|file| file.entry(&at.1)).as_deref());
            }
            ("files_get", Some(file)) => {
                reply.map(2).string("file").string(&file.entry(&at.1)).string("data").bytes(&file.data);
            }
            ("files_get", None) => drop(reply.nil()),
            ("files_update", Some(file)) => {
                reader.optional_string()?.into_iter().for_each(|name| file.name = name.into());
                reader.optional_string()?.into_iter().for_each(|kind| file.content_type = kind.into());
                reader.optional_string()?.into_iter().for_each(|metadata| file.metadata = metadata.into());
                reader.optional_bytes()?.into_iter().for_each(|data| file.data = data.into());
                reply.string(&file.entry(&at.1));
            }
            ("files_update", None) => return Ok(Err("no such file".into())),
            _ => drop(reply.bool(self.kept.remove(&at).is_some())),
        }
        Ok(Ok(()))
    }
}

impl File {
    fn entry(&self, id: &str) -> String {
        let text = |text: &str| json::render(&text.into(), usize::MAX).expect("text has a JSON form");
        let (name, content_type, metadata) = (text(&self.name), text(&self.content_type), &self.metadata);
        let (size, sha256) = (self.data.len(), HEXLOWER.encode(&Sha256::digest(&self.data)));
        format!(
            r#"{{"id":"{id}","name":{name},"content_type":{content_type},"size":{size},"sha256":"{sha256}","metadata":{metadata},"created_at":"{NOW}","updated_at":"{NOW}"}}"#
        )
    }
}

//! What the collections of this host have in common: pages, ids and times.

use crate::wire::Writer;

/// Writes a page of up to `limit` entries, each given with the cursor behind it.
pub fn page(reply: &mut Writer, name: &str, entries: impl Iterator<Item = (String, String)>, limit: usize) {
    let mut entries: Vec<_> = entries.take(limit + 1).collect();
    let more = entries.len() > limit;
    entries.truncate(limit);
    reply.map(2).string(name).array(entries.len());
    for (cursor, entry) in &entries {
        reply.array(2).string(entry).string(cursor);
    }
    reply.string("more").bool(more);
}

/// The id of the n-th thing that was made; ids sort as they were made.
pub fn id(n: usize) -> String {
    format!("00000000-0000-7000-8000-{n:012}")
}

/// When everything happens here.
pub const NOW: &str = "1970-01-01T00:00:00.000Z";

//! Temporary allocations that leave no trace in the memory, which becomes a script's image.

/// Runs `work`, frees everything it allocated, and passes the bytes it returned to `keep`.
///
/// None when `work` returns None, or more bytes than the reply buffer holds. Nothing but the bytes may still refer to
/// what `work` allocated.
#[cfg(target_arch = "wasm32")]
pub fn scratch<T>(work: impl FnOnce() -> Option<Vec<u8>>, keep: impl FnOnce(&[u8]) -> T) -> Option<T> {
    use crate::allocator::Mark;

    let mark = Mark::set();
    let bytes = work();
    // The reply buffer is free while no host call runs, and it lies outside the heap.
    let buffer = picloud_sdk::host::reply_buffer();
    let length = bytes.as_deref().map_or(0, <[u8]>::len);
    let fits = length <= picloud_sdk::host::REPLY_CAPACITY;
    if let Some(bytes) = bytes.as_deref().filter(|_| fits) {
        // SAFETY: the buffer is that long, and not part of the heap.
        unsafe { buffer.copy_from_nonoverlapping(bytes.as_ptr(), length) };
    }
    let found = bytes.is_some();
    drop(bytes);
    mark.clear();
    let kept = (found && fits).then(|| {
        // SAFETY: written above, and nothing else writes there.
        keep(unsafe { std::slice::from_raw_parts(buffer, length) })
    });
    if fits {
        // SAFETY: the buffer is that long.
        unsafe { buffer.write_bytes(0, length) };
    }
    kept
}

/// Natively there is no image: the bytes go to `keep`.
#[cfg(not(target_arch = "wasm32"))]
pub fn scratch<T>(work: impl FnOnce() -> Option<Vec<u8>>, keep: impl FnOnce(&[u8]) -> T) -> Option<T> {
    work().map(|bytes| keep(&bytes))
}

//! The guest's allocator, for instances that live for one execution.
//!
//! Blocks come in size classes. A freed block goes to the free list of its class and is the next one allocated. A
//! block at the end of the heap shrinks and grows in place. When a free list is empty, the block is taken from the
//! end of the heap. Blocks are never split, joined or cleared, so an allocation takes a few instructions and touches
//! only the block's own page.

use std::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32,
    cell::UnsafeCell,
    ptr::{self, null_mut},
};

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(State {
    top: null_mut(),
    end: null_mut(),
    peak: null_mut(),
    free: [null_mut(); CLASSES],
    exhausted: 0,
}));

/// Every block starts at a multiple of this, and has a size that is a multiple of it.
const GRAIN: usize = 16;
/// Up to this size there is a class for every multiple of `GRAIN`; above, four for every doubling.
const FINE: usize = 512;
const FINE_CLASSES: usize = FINE / GRAIN;
const CLASSES: usize = FINE_CLASSES + 4 * 23;
const PAGE: usize = 64 * 1024;
/// The heap grows by this many pages at least, where the host lets it.
const STEP: usize = 4;

#[link(wasm_import_module = "picloud")]
unsafe extern "C" {
    /// Asks the host to let the memory grow to `size` bytes; 0 when it may not. The host may wait before it returns,
    /// and never calls the guest meanwhile.
    fn memory_reserve(size: usize, unused: usize) -> i64;
}

/// The address of a `u32` that is 1 once the memory could not grow; the host reads it.
pub fn exhausted() -> *const u32 {
    // SAFETY: only the address is taken.
    unsafe { &raw const (*HEAP.0.get()).exhausted }
}

/// Drops the free lists, starts a new page, so that later allocations share no page with earlier ones, and grows the
/// heap by what a typical script needs.
pub fn settle() {
    const IMAGE_PAGE: usize = 4096;
    const ROOM: usize = 2 * PAGE;
    // SAFETY: a guest has one thread, and nothing in here calls out.
    let state = unsafe { &mut *HEAP.0.get() };
    let padding = state.top.align_offset(IMAGE_PAGE);
    let _ = state.cut(padding);
    state.free = [null_mut(); CLASSES];
    state.peak = state.top;
    if state.end as usize - (state.top as usize) < ROOM {
        state.grow(ROOM);
    }
}

/// A point in time: everything allocated after it can be freed at once.
pub struct Mark {
    top: *mut u8,
    free: [*mut u8; CLASSES],
}

impl Mark {
    /// Sets the mark. From now on, blocks are taken only from the end of the heap.
    pub fn set() -> Self {
        // SAFETY: a guest has one thread, and nothing in here calls out.
        let state = unsafe { &mut *HEAP.0.get() };
        Self { top: state.top, free: std::mem::replace(&mut state.free, [null_mut(); CLASSES]) }
    }

    /// Frees and zeroes everything that was allocated since. Nothing may point there any more.
    pub fn clear(self) {
        // SAFETY: as above.
        let state = unsafe { &mut *HEAP.0.get() };
        let length = (state.top.max(state.peak) as usize).saturating_sub(self.top as usize);
        // SAFETY: that is heap, and not in use any more.
        unsafe { self.top.write_bytes(0, length) };
        state.top = self.top;
        state.peak = self.top;
        state.free = self.free;
    }
}

struct Heap(UnsafeCell<State>);

// SAFETY: a guest has one thread.
unsafe impl Sync for Heap {}

struct State {
    /// The address of the next block.
    top: *mut u8,
    /// The end of the memory.
    end: *mut u8,
    /// The highest value of `top` so far.
    peak: *mut u8,
    /// Freed blocks by class; the first word of each points to the next.
    free: [*mut u8; CLASSES],
    exhausted: u32,
}

/// The class that holds blocks of `size` bytes, and the size of its blocks.
#[inline]
fn class(size: usize) -> (usize, usize) {
    if size <= FINE {
        let index = size.saturating_sub(1) / GRAIN;
        return (index, (index + 1) * GRAIN);
    }
    // The two bits behind the leading one say which quarter of the doubling it is.
    let shift = (size - 1).ilog2() - 2;
    let quarter = (size - 1) >> shift;
    let index = FINE_CLASSES + (shift as usize - 7) * 4 + (quarter - 4);
    (index, (quarter + 1) << shift)
}

impl State {
    /// `size` fresh bytes at the end of the heap.
    #[inline]
    fn cut(&mut self, size: usize) -> *mut u8 {
        if self.end as usize - self.top as usize <= size && !self.grow(size) {
            return null_mut();
        }
        let block = self.top;
        self.top = block.wrapping_add(size);
        block
    }

    /// Moves `top` down, and records the peak.
    #[inline]
    fn lower(&mut self, top: *mut u8) {
        self.peak = self.peak.max(self.top);
        self.top = top;
    }

    /// Makes room for more than `size` bytes at the end of the heap.
    #[cold]
    fn grow(&mut self, size: usize) -> bool {
        if self.end.is_null() {
            unsafe extern "C" {
                static __heap_base: u8;
            }
            self.top = (&raw const __heap_base as usize).next_multiple_of(GRAIN) as *mut u8;
            self.end = (wasm32::memory_size(0) * PAGE) as *mut u8;
        }
        let missing = (size + 1).saturating_sub(self.end as usize - self.top as usize);
        let needed = missing.div_ceil(PAGE);
        if self.extend(needed.max(STEP))
            || self.extend(needed)
            || (self.reserve(needed) && self.extend(needed))
        {
            return true;
        }
        self.exhausted = 1;
        false
    }

    /// Grows the memory by pages; false above what the host has reserved for this guest.
    fn extend(&mut self, pages: usize) -> bool {
        let grown = wasm32::memory_grow(0, pages) != usize::MAX;
        if grown {
            self.end = self.end.wrapping_add(pages * PAGE);
        }
        grown
    }

    /// Asks the host to reserve memory for so many pages more.
    fn reserve(&self, pages: usize) -> bool {
        let size = wasm32::memory_size(0).checked_add(pages).and_then(|pages| pages.checked_mul(PAGE));
        // SAFETY: an import that takes numbers; the host does not touch the heap.
        size.is_some_and(|size| unsafe { memory_reserve(size, 0) } != 0)
    }
}

// SAFETY: blocks are disjoint, aligned to GRAIN or more, and of the size asked for.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: a guest has one thread, and nothing in here calls out.
        let state = unsafe { &mut *self.0.get() };
        if layout.align() > GRAIN {
            // Nothing in the guest asks for this often: the padding is left unused.
            let block = state.cut(class(layout.size()).1 + layout.align());
            return if block.is_null() {
                block
            } else {
                block.wrapping_add(block.align_offset(layout.align()))
            };
        }
        let (class, size) = class(layout.size());
        let block = state.free[class];
        if block.is_null() {
            return state.cut(size);
        }
        // SAFETY: a block in the list holds the pointer to the next.
        state.free[class] = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        let state = unsafe { &mut *self.0.get() };
        let (class, size) = class(layout.size());
        if block.wrapping_add(size) == state.top {
            state.lower(block);
            return;
        }
        // SAFETY: the block is free now, and holds a pointer.
        unsafe { block.cast::<*mut u8>().write(state.free[class]) };
        state.free[class] = block;
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // A block cut off the end may have been used before, so there is no telling whether it is clear.
            // SAFETY: the block is that long.
            unsafe { ptr::write_bytes(block, 0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (old_class, size) = class(layout.size());
        let (new_class, wanted) = class(new_size);
        if old_class == new_class {
            return block;
        }
        {
            // SAFETY: as above.
            let state = unsafe { &mut *self.0.get() };
            if block.wrapping_add(size) == state.top {
                let room = state.end as usize - block as usize > wanted;
                if room || state.grow(wanted - size) {
                    state.lower(block.wrapping_add(wanted));
                    return block;
                }
                return null_mut();
            }
        }
        // SAFETY: the caller's promise is handed on; both blocks are at least as long as what is copied.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

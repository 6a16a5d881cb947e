//! The exports of the guest and its static buffers. `README.md` documents them.

use picloud_sdk::{host, wire::Writer};

use crate::{Interpreter, allocator, panic, stop};

/// Inputs up to this many bytes are written by the host straight into the input buffer.
const INPUT_CAPACITY: usize = 64 * 1024;

/// Zero, so that it takes no space in the module or in an image.
static mut INPUT: [u8; INPUT_CAPACITY] = [0; INPUT_CAPACITY];

static mut INTERPRETER: Option<Interpreter> = None;

/// A guest instance is single-threaded and the host calls one export at a time.
fn interpreter() -> &'static mut Interpreter {
    // SAFETY: nothing else holds a reference while an export runs.
    let slot = unsafe { &mut *&raw mut INTERPRETER };
    slot.get_or_insert_with(Interpreter::new)
}

/// Sets up the engine. Called once when the module is built; the result is part of its data.
#[unsafe(no_mangle)]
extern "C" fn initialize() {
    panic::install();
    // Create what Rhai creates lazily now, instead of in every script.
    let mut input = Writer::new();
    input.map(1).string("source").bytes(b"let list = [1].map(|n| `${n * 2.5}`); #{ list: list }");
    let mut first = Interpreter::new();
    first.compile(input.as_bytes());
    first.run(Writer::new().map(0).as_bytes());
    drop(first);
    interpreter();
    allocator::settle();
    clear_stack();
}

/// A description of this guest, as a MessagePack map.
#[unsafe(no_mangle)]
extern "C" fn info() -> i64 {
    let mut answer = Writer::new();
    answer.map(10);
    answer.string("abi").int(picloud_sdk::ABI_VERSION);
    answer.string("sdk").string(picloud_sdk::SDK_VERSION);
    answer.string("rhai").string("1.27.0");
    answer.string("interface").string(env!("PICLOUD_INTERFACE_SHA256"));
    answer.string("input").array(2).int((&raw const INPUT) as i64).int(INPUT_CAPACITY as i64);
    answer.string("reply").array(2).int(host::reply_buffer() as i64).int(host::REPLY_CAPACITY as i64);
    answer.string("oom").int(allocator::exhausted() as i64);
    answer.string("stop").int(stop::address() as i64);
    answer.string("place").int(panic::place() as i64);
    answer
        .string("scratch")
        .array(1)
        .array(2)
        .int((&raw const __stack_low) as i64)
        .int((&raw const __stack_high) as i64);
    hand_over(answer)
}

// Made by the linker: the ends of the stack, which holds nothing between two calls.
unsafe extern "C" {
    static __stack_low: u8;
    static __stack_high: u8;
}

/// Allocates space for an input longer than the input buffer; 0 when out of memory.
#[unsafe(no_mangle)]
extern "C" fn reserve(length: usize) -> *mut u8 {
    let mut area: Vec<u8> = Vec::new();
    match area.try_reserve_exact(length) {
        Ok(()) => area.leak().as_mut_ptr(),
        Err(_) => std::ptr::null_mut(),
    }
}

/// Compiles the script in the input. The memory becomes its image, so everything else in it is zeroed.
#[unsafe(no_mangle)]
extern "C" fn compile(pointer: *mut u8, length: usize) -> i64 {
    // SAFETY: the host wrote the input there, and it does not change while this runs.
    let answer = interpreter().compile(unsafe { std::slice::from_raw_parts(pointer, length) });
    // SAFETY: nothing refers to the input any more.
    unsafe { pointer.write_bytes(0, length) };
    clear_stack();
    hand_over(answer)
}

/// Zeroes the unused part of the stack, below this frame.
#[inline(never)]
fn clear_stack() {
    const PAGE: usize = 4096;
    let here = 0_u8;
    // The variables of this function may lie a little below this one.
    let mut end = (&raw const here as usize).saturating_sub(256);
    while end > PAGE {
        let start = (end - 1) / PAGE * PAGE;
        let page = start as *mut u8;
        // SAFETY: the stack starts at the bottom of the memory, and nothing below this frame is in use.
        unsafe {
            let untouched = std::slice::from_raw_parts(page.cast::<u64>(), (end - start) / 8)
                .iter()
                .all(|word| *word == 0);
            if untouched {
                return;
            }
            page.write_bytes(0, end - start);
        }
        end = start;
    }
}

/// Runs the compiled script on the input.
#[unsafe(no_mangle)]
extern "C" fn run(pointer: *const u8, length: usize) -> i64 {
    // SAFETY: the host wrote the input there, and it does not change while this runs.
    hand_over(interpreter().run(unsafe { std::slice::from_raw_parts(pointer, length) }))
}

/// Leaks an answer for the host: the address in the high half, the length in the low half.
fn hand_over(answer: Writer) -> i64 {
    let bytes = answer.into_bytes().leak();
    ((bytes.as_ptr() as i64) << 32) | bytes.len() as i64
}

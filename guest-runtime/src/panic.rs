//! Where a script was when the interpreter panicked, which ends the guest.

use std::{
    cell::Cell,
    panic,
    sync::atomic::{AtomicU32, Ordering},
};

use rhai::{Position, last_operation};

/// Line and column; 0 where it is not known. The host reads them.
static PLACE: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

thread_local! {
    /// The last operation before the script began, which tells nothing; None where no place can be told.
    static BEFORE: Cell<Option<Position>> = const { Cell::new(None) };
}

/// The address of two `u32`: line and column of the panic, or zeros.
pub fn place() -> *const AtomicU32 {
    PLACE.as_ptr()
}

/// Tells the place of every panic from now on. It is that of the last operation that was counted: of a statement on the tree walker,
/// of a call or a loop as bytecode.
pub fn install() {
    panic::set_hook(Box::new(|_| {
        let last = last_operation();
        if BEFORE.get().is_some_and(|before| before != last) {
            let numbers = [last.line(), last.position()];
            for (place, number) in PLACE.iter().zip(numbers) {
                place.store(number.unwrap_or(0) as u32, Ordering::Relaxed);
            }
        }
    }));
}

/// A script begins.
pub fn begin() {
    BEFORE.set(Some(last_operation()));
}

/// From now on a place may be one of a module: none is told.
pub fn forget() {
    BEFORE.set(None);
}

#[cfg(test)]
mod tests {
    use std::{panic::catch_unwind, sync::atomic::Ordering};

    use rhai::Engine;

    use super::{PLACE, begin, forget, install};

    #[test]
    fn a_panic_has_the_place_of_the_last_operation() {
        let place = |script: &str| {
            let mut engine = Engine::new();
            engine.register_fn("stop", || -> () { panic!("on purpose") });
            PLACE.iter().for_each(|number| number.store(0, Ordering::Relaxed));
            begin();
            let run = catch_unwind(std::panic::AssertUnwindSafe(|| engine.run(script)));
            assert!(run.is_err());
            PLACE.iter().map(|number| number.load(Ordering::Relaxed)).collect::<Vec<_>>()
        };
        install();
        assert_eq!(place("let x = 1;\n\n  stop();"), [3, 3]);
        assert_eq!(place("fn f() {\n stop() }\nf()"), [2, 2]);
        begin();
        forget();
        let _ = catch_unwind(|| panic!("on purpose"));
        drop(std::panic::take_hook());
    }
}

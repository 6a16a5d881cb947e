//! `random::` values from the host's cryptographically secure generator.

use std::cell::RefCell;

use rhai::{Dynamic, Engine, FLOAT, FuncRegistration, INT, Module, NativeCallContext};

use crate::args;
use crate::blob::Blob;
use crate::error::{Thrown, fail, invalid_reply};
use crate::host;
use crate::imports::random::BYTES;
use crate::limits::MAX_RANDOM_BYTES;
use crate::sizes;
use crate::wire::Writer;

const MAX_STRING: usize = 4_096;
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Unused random bytes from the host. The first call of a run fills it, so an image, which is taken before any run,
/// contains no random bytes.
struct Pool {
    bytes: [u8; 256],
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; 256], left: 0 }) };
}

/// Registers the namespace. All of it is volatile: no call may be answered while compiling.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    let volatile = |name: &str| FuncRegistration::new(name).with_volatility(true);
    volatile("int").set_into_module(&mut module, |min: Dynamic, max: Dynamic| {
        let (min, max) = (args::int("random::int", "min", &min)?, args::int("random::int", "max", &max)?);
        int(min, max)
    });
    volatile("float").set_into_module(&mut module, float);
    volatile("bool").set_into_module(&mut module, || Ok::<_, Thrown>(take::<1>("random::bool")?[0] & 1 == 1));
    volatile("bytes").set_into_module(&mut module, |n: Dynamic| {
        fetch("random::bytes", args::size("random::bytes", "n", &n, 0, MAX_RANDOM_BYTES)?).map(Blob::of)
    });
    volatile("string").set_into_module(&mut module, |context: NativeCallContext, n: Dynamic| {
        let n = args::size("random::string", "n", &n, 0, MAX_STRING)?;
        sizes::check_string(&context, "random::string", n)?;
        string(n)
    });
    volatile("uuid").set_into_module(&mut module, uuid);
    engine.register_static_module("random", module.into());
}

/// `n` bytes straight from the host.
fn fetch(function: &str, n: usize) -> Result<Vec<u8>, Thrown> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let mut params = Writer::params(1);
    params.int(n as INT);
    let reply = host::call(&BYTES, function, &params)?;
    let bytes = reply.bytes()?;
    if bytes.len() == n { Ok(bytes.to_vec()) } else { Err(invalid_reply(function, "too few bytes")) }
}

/// Takes `N` bytes (at most the size of the pool) from the pool, and refills it when it has too few.
fn take<const N: usize>(function: &str) -> Result<[u8; N], Thrown> {
    POOL.with_borrow_mut(|pool| {
        if pool.left < N {
            let fresh = fetch(function, pool.bytes.len())?;
            pool.bytes.copy_from_slice(&fresh);
            pool.left = fresh.len();
        }
        let mut taken = [0; N];
        let end = pool.left;
        taken.copy_from_slice(&pool.bytes[end - N..end]);
        pool.left -= N;
        Ok(taken)
    })
}

/// Lemire's method: the high half of a product is uniform once the few low halves that would favour some
/// results are rejected (<https://arxiv.org/abs/1805.10941>).
fn int(min: INT, max: INT) -> Result<INT, Thrown> {
    let function = "random::int";
    if min > max {
        return Err(fail(function, format_args!("min ({min}) must not be greater than max ({max})")));
    }
    let word = || take(function).map(u64::from_le_bytes);
    // How many results there are, which does not fit where all of them are meant.
    let Some(count) = max.wrapping_sub(min).cast_unsigned().checked_add(1) else {
        return word().map(u64::cast_signed);
    };
    let rejected = count.wrapping_neg() % count;
    loop {
        let product = u128::from(word()?) * u128::from(count);
        if product as u64 >= rejected {
            return Ok(min.wrapping_add((product >> 64) as INT));
        }
    }
}

/// 53 bits, as many as a float of 64 bits holds.
fn float() -> Result<FLOAT, Thrown> {
    let word = u64::from_le_bytes(take("random::float")?);
    Ok((word >> 11) as FLOAT / (1_u64 << 53) as FLOAT)
}

/// Six bits per character; the two values without a character are rejected.
fn string(n: usize) -> Result<String, Thrown> {
    let mut text = String::with_capacity(n);
    while text.len() < n {
        let [byte] = take("random::string")?;
        if let Some(&letter) = LETTERS.get(usize::from(byte & 63)) {
            text.push(letter.into());
        }
    }
    Ok(text)
}

/// Version 4 of RFC 9562.
fn uuid() -> Result<String, Thrown> {
    let mut bytes: [u8; 16] = take("random::uuid")?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = data_encoding::HEXLOWER.encode(&bytes);
    for dash in [8, 13, 18, 23] {
        text.insert(dash, '-');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crate::error::{mismatch, out_of_range};
    use crate::host::{Host, install};
    use crate::testing::{eval, message, thrown};
    use crate::wire::{Reader, Writer};

    /// A host that returns these random bytes repeatedly.
    struct Loop(std::iter::Cycle<std::vec::IntoIter<u8>>);

    impl Host for Loop {
        fn call(&mut self, _: &str, params: &[u8]) -> Result<Vec<u8>, String> {
            let mut reader = Reader::new(params);
            reader.array().unwrap();
            let count = reader.int().unwrap() as usize;
            let mut reply = Writer::new();
            reply.bytes(&self.0.by_ref().take(count).collect::<Vec<u8>>());
            Ok(reply.into_bytes())
        }
    }

    fn install_bytes(bytes: impl Into<Vec<u8>>) {
        install(Loop(bytes.into().into_iter().cycle()));
    }

    #[test]
    fn an_int_reaches_both_ends_and_nothing_else() {
        assert!(eval::<bool>(
            "let seen = [0, 0, 0]; for i in 0..300 { seen[random::int(-1, 1) + 1] += 1; } \
             seen[0] > 0 && seen[1] > 0 && seen[2] > 0"
        ));
        assert!(eval::<bool>("random::int(7, 7) == 7"));
    }

    #[test]
    fn the_ends_of_the_range_may_be_those_of_an_int() {
        install_bytes([0xff]);
        assert_eq!(eval::<i64>(&format!("random::int({}, {})", i64::MIN, i64::MAX)), -1);
        assert_eq!(eval::<i64>(&format!("random::int({}, {})", i64::MIN, i64::MAX - 1)), i64::MAX - 1);
    }

    #[test]
    fn biased_words_are_rejected() {
        // 2^64 mod 3 = 1: of all words only 0 is rejected. The pool is used from its end.
        let mut bytes = vec![0; 256];
        bytes[..8].fill(0xff);
        install_bytes(bytes);
        assert_eq!(eval::<i64>("random::int(0, 2)"), 2);
    }

    #[test]
    fn a_float_stays_below_one() {
        install_bytes([0xff]);
        assert_eq!(eval::<f64>("random::float()"), 1.0 - f64::EPSILON / 2.0);
        assert!(eval::<bool>("random::bool()"));
    }

    #[test]
    fn text_is_of_letters_and_digits_only() {
        install_bytes((0..=255).collect::<Vec<u8>>());
        assert!(eval::<bool>(
            "let s = random::string(4096); s.len() == 4096 && regex::is_match(`^[A-Za-z0-9]+$`, s)"
        ));
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert_eq!(thrown("random::int(2, 1)"), "random::int: min (2) must not be greater than max (1)");
        assert_eq!(thrown("random::bytes(-1)"), message(out_of_range("random::bytes", "n", 0, 65536, -1)));
        assert_eq!(
            thrown("random::bytes(65537)"),
            message(out_of_range("random::bytes", "n", 0, 65536, 65537))
        );
        assert_eq!(
            thrown("random::string(4097)"),
            message(out_of_range("random::string", "n", 0, 4096, 4097))
        );
        assert_eq!(thrown("random::int(1.0, 2)"), message(mismatch("random::int", "min", "an int", "f64")));
        assert!(eval::<bool>("random::bytes(0).len() == 0 && random::string(0) == \"\""));
    }
}

//! `time::` the current time, and RFC 3339 times.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, SecondsFormat, Utc};
use rhai::{Dynamic, Engine, FLOAT, FuncRegistration, INT, Module, NativeCallContext};

use crate::args;
use crate::error::{Thrown, fail, mismatch};
use crate::host;
use crate::imports::time::NOW;
use crate::sizes;
use crate::wire::Writer;

/// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: the range of RFC 3339.
const YEARS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    FuncRegistration::new("now")
        .with_volatility(true)
        .set_into_module(&mut module, || now("time::now").and_then(|ms| rfc3339("time::now", ms)));
    FuncRegistration::new("now_ms")
        .with_volatility(true)
        .set_into_module(&mut module, || now("time::now_ms"));
    module.set_native_fn("parse", |text: Dynamic| parse("time::parse", "text", text));
    module.set_native_fn("format", |context: NativeCallContext, ms: Dynamic, format: Dynamic| {
        let ms = args::int("time::format", "ms", &ms)?;
        let format = args::string("time::format", "format", format)?;
        strftime(&context, ms, &format)
    });
    module.set_native_fn("add_seconds", |text: Dynamic, seconds: Dynamic| add_seconds(text, &seconds));
    module.set_native_fn("diff_seconds", |a: Dynamic, b: Dynamic| diff_seconds(a, b));
    engine.register_static_module("time", module.into());
}

fn now(function: &str) -> Result<INT, Thrown> {
    host::call(&NOW, function, &Writer::params(0))?.int()
}

fn parse(function: &str, param: &str, text: Dynamic) -> Result<INT, Thrown> {
    let text = args::string(function, param, text)?;
    match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Ok(time.timestamp_millis()),
        Err(_) => {
            let shown: String = text.chars().take(40).collect();
            let example = "2026-01-31T08:00:00Z";
            Err(fail(function, format_args!("invalid time '{shown}': use RFC 3339, such as {example}")))
        }
    }
}

fn datetime(function: &str, ms: INT) -> Result<DateTime<Utc>, Thrown> {
    Some(ms)
        .filter(|ms| YEARS.contains(ms))
        .and_then(DateTime::from_timestamp_millis)
        .ok_or_else(|| outside_years(function))
}

fn outside_years(function: &str) -> Thrown {
    fail(function, "the time must be in the years 0 to 9999")
}

fn rfc3339(function: &str, ms: INT) -> Result<String, Thrown> {
    Ok(datetime(function, ms)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn strftime(context: &NativeCallContext, ms: INT, format: &str) -> Result<String, Thrown> {
    let time = datetime("time::format", ms)?;
    // One item at a time: a long format of long specifiers must stop at the limit, not after it.
    let mut out = String::new();
    for item in StrftimeItems::new(format) {
        if item == Item::Error {
            return Err(fail("time::format", format_args!("unknown specifier in the format '{format}'")));
        }
        write!(out, "{}", time.format_with_items(std::iter::once(item)))
            .map_err(|_| fail("time::format", "invalid format"))?;
        sizes::check_string(context, "time::format", out.len())?;
    }
    Ok(out)
}

fn add_seconds(text: Dynamic, seconds: &Dynamic) -> Result<String, Thrown> {
    let function = "time::add_seconds";
    let start = parse(function, "text", text)?;
    let ms = if let Ok(whole) = seconds.as_int() {
        whole.checked_mul(1000)
    } else {
        let seconds =
            seconds.as_float().map_err(|given| mismatch(function, "seconds", "an int or a float", given))?;
        let ms = (seconds * 1000.0).round();
        // The cast saturates, which the years then refuse; NaN it would make 0.
        (!ms.is_nan()).then_some(ms as INT)
    };
    let end = ms.and_then(|ms| start.checked_add(ms)).unwrap_or(INT::MAX);
    rfc3339(function, end)
}

fn diff_seconds(a: Dynamic, b: Dynamic) -> Result<Dynamic, Thrown> {
    let function = "time::diff_seconds";
    let ms = parse(function, "a", a)? - parse(function, "b", b)?;
    Ok(if ms % 1000 == 0 { (ms / 1000).into() } else { (ms as FLOAT / 1000.0).into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{YEARS, outside_years};
    use crate::error::{mismatch, result_too_large};
    use crate::host::install;
    use crate::native::MemoryHost;
    use crate::testing::{eval, eval_with, message, thrown};

    #[test]
    fn now_is_the_clock_of_the_host() {
        let mut host = MemoryHost::default();
        host.now_ms = 1_769_846_400_005;
        install(host);
        assert_eq!(eval::<String>("time::now()"), "2026-01-31T08:00:00.005Z");
        assert_eq!(eval::<i64>("time::now_ms()"), 1_769_846_400_005);
    }

    #[test]
    fn invalid_times_throw() {
        for text in ["", "2026-01-31", "2026-01-31T08:00:00", "2026-02-30T08:00:00Z", "2026-01-31T25:00:00Z"]
        {
            let message = thrown(&format!(r#"time::parse("{text}")"#));
            assert_eq!(
                message,
                format!("time::parse: invalid time '{text}': use RFC 3339, such as 2026-01-31T08:00:00Z")
            );
        }
        assert_eq!(thrown("time::parse(1)"), message(mismatch("time::parse", "text", "a string", "i64")));
    }

    #[test]
    fn every_documented_specifier_is_known() {
        let all = "%Y %m %d %H %M %S %3f %y %j %e %I %p %A %a %B %b %U %W %V %G %u %w %s %z %F %T %D %R %c %x %X %%";
        assert_eq!(
            eval_with::<String>("time::format(1769846400005, x)", all),
            "2026 01 31 08 00 00 005 26 031 31 08 AM Saturday Sat January Jan 04 04 05 2026 6 6 1769846400 +0000 \
             2026-01-31 08:00:00 01/31/26 08:00 Sat Jan 31 08:00:00 2026 01/31/26 08:00:00 %"
        );
    }

    #[test]
    fn a_bad_format_or_time_is_refused() {
        assert_eq!(thrown(r#"time::format(0, "%Q")"#), "time::format: unknown specifier in the format '%Q'");
        assert_eq!(thrown(r#"time::format(0, "%")"#), "time::format: unknown specifier in the format '%'");
        assert_eq!(
            thrown(&format!(r#"time::format({}, "%Y")"#, i64::MAX)),
            "time::format: the time must be in the years 0 to 9999"
        );
        assert_eq!(
            thrown(r#"let f = ""; f.pad(200000, "%c"); time::format(0, f)"#),
            message(result_too_large("time::format", 262144, "bytes", "max_string_size"))
        );
    }

    #[test]
    fn seconds_are_added_across_every_border() {
        assert_eq!(
            eval::<String>(r#"time::add_seconds("2023-12-31T23:59:59.500Z", 0.5)"#),
            "2024-01-01T00:00:00.000Z"
        );
        assert_eq!(
            eval::<String>(r#"time::add_seconds("2024-03-01T01:00:00+01:00", -1)"#),
            "2024-02-29T23:59:59.000Z"
        );
    }

    #[test]
    fn seconds_that_leave_the_calendar_are_refused() {
        for seconds in
            ["9223372036854775807", "-9223372036854775808", "1e300", "0.0/0.0", "-1.0/0.0", "252000000000"]
        {
            let script = format!(r#"time::add_seconds("2026-01-01T00:00:00Z", {seconds})"#);
            assert_eq!(thrown(&script), message(outside_years("time::add_seconds")));
        }
        assert_eq!(
            thrown(r#"time::add_seconds("2026-01-01T00:00:00Z", "1")"#),
            message(mismatch("time::add_seconds", "seconds", "an int or a float", "string"))
        );
    }

    #[test]
    fn a_difference_is_positive_when_the_first_is_later() {
        assert_eq!(eval::<i64>(r#"time::diff_seconds("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")"#), -60);
        assert_eq!(
            eval::<f64>(r#"time::diff_seconds("2026-01-01T00:00:01.25Z", "2026-01-01T00:00:00Z")"#),
            1.25
        );
    }

    proptest! {
        #[test]
        fn parsing_undoes_formatting(ms in YEARS) {
            prop_assert!(eval_with::<bool>(r#"time::parse(time::format(x, "%Y-%m-%dT%H:%M:%S%.3fZ")) == x"#, ms));
        }

        #[test]
        fn no_format_makes_formatting_panic(format: String) {
            let script = "try { time::format(0, x); } catch {} true";
            prop_assert!(eval_with::<bool>(script, format));
        }
    }
}

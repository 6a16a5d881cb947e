//! `log::` writes lines to the log of the execution.

use rhai::{Dynamic, Engine, Map, Module};

use crate::args;
use crate::blob::Blob;
use crate::error::{Thrown, fail, type_name};
use crate::host;
use crate::imports::log::WRITE;
use crate::json;
use crate::wire::Writer;

/// Levels, each with the name of its function.
const LEVELS: [(&str, &str); 4] =
    [("trace", "log::trace"), ("info", "log::info"), ("warn", "log::warn"), ("error", "log::error")];

/// Registers the namespace, `print` and `debug`. The latter two cannot throw in Rhai, and need not: the host accepts
/// every line, and counts and drops those over the limits.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (level, function) in LEVELS {
        module.set_native_fn(level, move |message: &mut Dynamic| line(level, function, message, None));
        module.set_native_fn(level, move |message: &mut Dynamic, data: Dynamic| {
            args::map(function, "data", &data, |data| line(level, function, message, Some(data)))?
        });
    }
    engine.register_static_module("log", module.into());
    engine.on_print(|text| drop(write("info", "print", text, None)));
    engine.on_debug(|text, _, _| drop(write("trace", "debug", text, None)));
}

fn line(level: &str, function: &str, message: &Dynamic, data: Option<&Map>) -> Result<(), Thrown> {
    let data = data
        .map(|map| json::render_map(map, usize::MAX))
        .transpose()
        .map_err(|problem| fail(function, format_args!("data: {problem}")))?;
    if let Ok(text) = message.as_immutable_string_ref() {
        return write(level, function, &text, data.as_deref());
    }
    let text = match message.read_lock::<Blob>() {
        Some(blob) => blob.to_string(),
        None => message.to_string(),
    };
    // Rhai shows a value of a type that it does not know, such as a handle, by the type's path.
    let text = if text == message.type_name() { type_name(&text) } else { text };
    write(level, function, &text, data.as_deref())
}

fn write(level: &str, function: &str, message: &str, data: Option<&str>) -> Result<(), Thrown> {
    let mut params = Writer::params(3);
    params.string(level).string(message).optional_string(data);
    host::call(&WRITE, function, &params).map(drop)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use crate::error::mismatch;
    use crate::host::{Host, install};
    use crate::testing::{eval, message, thrown};
    use crate::wire::{Reader, Writer};

    type Lines = Rc<RefCell<Vec<(String, String, Option<String>)>>>;

    struct Recorder(Lines);

    impl Host for Recorder {
        fn call(&mut self, import: &str, params: &[u8]) -> Result<Vec<u8>, String> {
            assert_eq!(import, "log_write");
            let mut reader = Reader::new(params);
            assert_eq!(reader.array(), Ok(3));
            let mut text = || reader.optional_string().unwrap().map(str::to_owned);
            self.0.borrow_mut().push((text().unwrap(), text().unwrap(), text()));
            let mut reply = Writer::new();
            reply.nil();
            Ok(reply.into_bytes())
        }
    }

    fn lines_of(script: &str) -> Vec<(String, String, Option<String>)> {
        let lines = Lines::default();
        install(Recorder(lines.clone()));
        eval::<()>(script);
        lines.take()
    }

    #[test]
    fn a_line_has_level_message_and_data_as_json() {
        let lines = lines_of(r#"log::warn("slow", #{ ms: 950, tags: ["a"] });"#);
        assert_eq!(lines, [("warn".into(), "slow".into(), Some(r#"{"ms":950,"tags":["a"]}"#.into()))]);
    }

    #[test]
    fn any_value_can_be_the_message() {
        let lines = lines_of(
            "log::info(42); log::trace(()); log::error([1, 2]); log::warn(kv::collection(`c`)); \
             let long = `x`; for i in 0..14 { long += long; } log::info(base64::decode(base64::encode(long)));",
        );
        let messages: Vec<_> =
            lines.into_iter().map(|(level, message, _)| format!("{level}:{message}")).collect();
        let expected = ["info:42", "trace:", "error:[1, 2]", "warn:collection", "info:blob of 16384 bytes"];
        assert_eq!(messages, expected);
    }

    #[test]
    fn print_and_debug_are_lines_too() {
        let lines = lines_of(r#"print("a"); print([1, "b"]); debug("c");"#);
        let messages: Vec<_> =
            lines.into_iter().map(|(level, message, _)| format!("{level}:{message}")).collect();
        assert_eq!(messages, ["info:a", "info:[1, \"b\"]", "trace:\"c\""]);
    }

    #[test]
    fn data_must_be_a_json_map() {
        assert_eq!(thrown(r#"log::info("x", 1)"#), message(mismatch("log::info", "data", "a map", "i64")));
        assert_eq!(
            thrown(r#"log::info("x", #{ f: || 1 })"#),
            "log::info: data: a value of type Fn cannot be written as JSON"
        );
    }
}

//! `log::` writes lines to the log of the execution.

use std::cell::Cell;

use rhai::{Dynamic, Engine, Module, Token};

use crate::error::Thrown;
use crate::host;
use crate::imports::log::{PRIVATE, WRITE};
use crate::limits::MAX_LOG_TEXT_BYTES;
use crate::shown::{cut, shown, with_text};
use crate::wire::Writer;

/// Levels, each with the name of its function.
const LEVELS: [(&str, &str); 4] =
    [("trace", "log::trace"), ("info", "log::info"), ("warn", "log::warn"), ("error", "log::error")];

/// Registers the namespace, `print` and `debug`. No value makes them throw, and the host accepts every line: it counts
/// and drops those over the limits.
pub fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (level, function) in LEVELS {
        module.set_native_fn(level, move |message: &mut Dynamic| {
            with_text(message, MAX_LOG_TEXT_BYTES, |text| write(level, function, text, None))
        });
        module.set_native_fn(level, move |message: &mut Dynamic, data: Dynamic| {
            let data = shown(&data, MAX_LOG_TEXT_BYTES);
            with_text(message, MAX_LOG_TEXT_BYTES, |text| write(level, function, text, Some(&data)))
        });
    }
    module.set_native_fn("private", || host::call(&PRIVATE, "log::private", &Writer::params(0)).map(drop));
    accept_private(engine);
    engine.register_static_module("log", module.into());
    engine.on_print(|text| drop(write("info", "print", &cut(text, MAX_LOG_TEXT_BYTES), None)));
    engine.on_debug(|text, _, _| drop(write("trace", "debug", &cut(text, MAX_LOG_TEXT_BYTES), None)));
}

/// Makes `private` a name after `::`. Elsewhere it is a word of Rhai's grammar, before `fn`.
#[allow(deprecated)] // by a note that says it is not
fn accept_private(engine: &mut Engine) {
    let after_colons = Cell::new(false);
    engine.on_parse_token(move |token, _, _| {
        let is_name = after_colons.replace(token == Token::DoubleColon);
        match token {
            Token::Private if is_name => Token::Identifier(Box::new("private".into())),
            token => token,
        }
    });
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

    use crate::host::{Host, install};
    use crate::limits::MAX_LOG_TEXT_BYTES;
    use crate::testing::eval;
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
        let head = "78 ".repeat(32);
        let blob = format!("info:blob of 16384 bytes: {head}…");
        let expected = ["info:42", "trace:", "error:[1,2]", "warn:kv::collection", &blob];
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
    fn any_value_can_be_the_data() {
        for (data, expected) in [
            ("1", "1"),
            ("()", "null"),
            ("\"a\"", "\"a\""),
            ("[0.0 / 0.0]", r#"["NaN"]"#),
            ("#{ f: || 1, b: blob(2, 7) }", r#"{"b":"blob of 2 bytes: 07 07","f":"a closure"}"#),
            ("kv::collection(\"c\")", "\"kv::collection\""),
        ] {
            let lines = lines_of(&format!("log::info(\"x\", {data});"));
            assert_eq!(lines[0].2.as_deref(), Some(expected), "{data}");
        }
    }

    #[test]
    fn long_messages_and_data_are_cut() {
        let script = "let s = ``; s.pad(100000, 'ä'); print(s); log::warn(s, s); log::error([s]);";
        for (_, message, data) in lines_of(script) {
            let lengths = (message.len(), data.map_or(0, |data| data.len()));
            assert!(
                lengths.0 < MAX_LOG_TEXT_BYTES + 10 && lengths.1 < MAX_LOG_TEXT_BYTES + 10,
                "{lengths:?}"
            );
        }
    }
}

//! Errors of a script: code, message and position.

use picloud_sdk::{
    limits::MAX_LOG_TEXT_BYTES,
    shown::{shown, with_text},
    type_name,
    wire::Writer,
};
use rhai::{Dynamic, EvalAltResult, ImmutableString, Map, ParseError, ParseErrorType, Position};

/// Bytes of a message that shows a thrown value. The whole value is in `thrown`.
const MAX_MESSAGE: usize = 1000;
/// A string in the signatures of functions that were not found.
const STRING: &str = "&str | ImmutableString | String";

/// A failed execution or compilation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One of the codes of the outcome table, for example `script_error`.
    pub code: &'static str,
    pub message: String,
    /// The thrown value as JSON, where the message is not all of it.
    pub thrown: Option<String>,
    /// The position in the source, if known.
    pub position: Position,
    /// The module of the position; None for the script itself.
    pub module: Option<String>,
}

impl Failure {
    /// A failure without a position.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), thrown: None, position: Position::NONE, module: None }
    }

    /// A syntax error.
    pub fn parsing(error: ParseError, module: Option<&str>) -> Self {
        let ParseError(kind, position) = error;
        let message = match *kind {
            ParseErrorType::ExprTooDeep => format!("{kind} (limit max_expr_depth)"),
            _ => kind.to_string(),
        };
        Self { position, module: module.map(Into::into), ..Self::new("script_invalid", message) }
    }

    /// An error while the script ran.
    ///
    /// The position is that of the innermost call, or `place` (where the bytecode failed) if the error has none. For a
    /// script that was stopped it is `place`, too: Rhai does not know where in a loop that is. The message names the
    /// innermost function.
    pub fn running(error: EvalAltResult, place: Position) -> Self {
        let mut functions = Vec::new();
        let mut module = None;
        let mut outer = Position::NONE;
        let mut error = error;
        loop {
            let position = error.position();
            if !position.is_none() {
                outer = position;
            }
            error = match error {
                EvalAltResult::ErrorInFunctionCall(name, source, inner, _) => {
                    functions.push(name);
                    if !source.is_empty() {
                        module = Some(source);
                    }
                    *inner
                }
                EvalAltResult::ErrorInModule(name, inner, _) => {
                    module = Some(name);
                    *inner
                }
                innermost => {
                    let was_stopped = matches!(
                        innermost,
                        EvalAltResult::ErrorTooManyOperations(_) | EvalAltResult::ErrorTerminated(..)
                    );
                    if (position.is_none() || was_stopped) && !place.is_none() {
                        outer = place;
                    }
                    error = innermost;
                    break;
                }
            };
        }
        let _ = error.take_position();
        let code = match error {
            EvalAltResult::ErrorTooManyOperations(..) => "operation_budget",
            _ => "script_error",
        };
        let thrown = match &error {
            EvalAltResult::ErrorRuntime(value, _) => whole(value),
            _ => None,
        };
        let mut message = describe(error);
        if let Some(name) = functions.last() {
            match name.starts_with("anon$") {
                true => message.push_str(" (in a closure)"),
                false => message.push_str(&format!(" (in function {name})")),
            }
        }
        Self { code, message, thrown, position: outer, module }
    }

    /// Writes the failure as a map for the host.
    pub fn write(&self, writer: &mut Writer) {
        let place = |number: Option<usize>| number.map(|number| number as i64);
        writer.map(6);
        writer.string("code").string(self.code);
        writer.string("message").string(&self.message);
        writer.string("thrown").optional_string(self.thrown.as_deref());
        writer.string("line").optional_int(place(self.position.line()));
        writer.string("column").optional_int(place(self.position.position()));
        writer.string("module").optional_string(self.module.as_deref());
    }
}

/// A thrown value as JSON; None where the message has all of it.
fn whole(value: &Dynamic) -> Option<String> {
    let in_message = match value.read_lock::<ImmutableString>() {
        Some(text) => text.len() <= MAX_MESSAGE,
        None => value.is_unit(),
    };
    (!in_message).then(|| shown(value, MAX_LOG_TEXT_BYTES))
}

/// The message of an error whose position has been taken out.
fn describe(error: EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown_message(&value),
        EvalAltResult::ErrorDataTooLarge(ref what, _) => {
            let limit = match what {
                what if what.contains("string") => "max_string_size",
                what if what.contains("map") => "max_map_size",
                _ => "max_array_size",
            };
            format!("{error} (limit {limit})")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            format!(
                "{error} (limit max_call_levels; map, filter and other functions that call a function count as well)"
            )
        }
        EvalAltResult::ErrorTooManyOperations(_) => format!("{error} (limit max_operations)"),
        EvalAltResult::ErrorFunctionNotFound(..)
        | EvalAltResult::ErrorMismatchDataType(..)
        | EvalAltResult::ErrorMismatchOutputType(..)
        | EvalAltResult::ErrorIndexingType(..)
        | EvalAltResult::ErrorDotExpr(..) => with_type_names(&error.to_string()),
        error => error.to_string(),
    }
}

/// A thrown value as a message: the field `message` of a map that has one, as the errors have that a script caught.
fn thrown_message(value: &Dynamic) -> String {
    if let Some(map) = value.read_lock::<Map>()
        && let Some(message) = map.get("message").and_then(|message| message.read_lock::<ImmutableString>())
        && !message.is_empty()
    {
        // Rhai's own error, thrown again.
        let is_caught = map.get("error").is_some_and(Dynamic::is_string) && map.contains_key("line");
        return if is_caught { with_type_names(&message) } else { message.to_string() };
    }
    with_text(value, MAX_LOG_TEXT_BYTES, |text| match text {
        "" => "an error was thrown".into(),
        text if value.is_string() => text.into(),
        text => picloud_sdk::shown::cut(text, MAX_MESSAGE).into_owned(),
    })
}

/// The text of an error of Rhai, with the names of types that our messages use.
fn with_type_names(text: &str) -> String {
    let text = text.replace(STRING, "string");
    let is_part = |letter: char| letter.is_alphanumeric() || "_$:<>".contains(letter);
    let mut named = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_part) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|letter| !is_part(letter)).unwrap_or(word.len());
        named.push_str(before);
        match &word[..end] {
            name if is_type(name) && BEFORE_TYPES.iter().any(|place| named.ends_with(place)) => {
                named.push_str(&type_name(name));
            }
            name => named.push_str(name),
        }
        rest = &word[end..];
    }
    named.push_str(rest);
    named
}

/// What stands before a type in Rhai's messages. The same word elsewhere is a name of the script.
const BEFORE_TYPES: [&str; 9] =
    ["(", ", ", "[", "= ", "expecting ", "incorrect: ", "unavailable: ", "type '", "handle '"];

fn is_type(name: &str) -> bool {
    matches!(name, "i64" | "f64" | "char" | "Fn") || name.contains("Range<") || name.contains("::Collection")
}

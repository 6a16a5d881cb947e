//! Errors of a script: code, message and position.

use picloud_sdk::{type_name, wire::Writer};
use rhai::{EvalAltResult, ParseError, ParseErrorType, Position};

/// A failed execution or compilation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One of the codes of the outcome table, for example `script_error`.
    pub code: &'static str,
    pub message: String,
    /// The position in the source, if known.
    pub position: Position,
    /// The module of the position; None for the script itself.
    pub module: Option<String>,
}

impl Failure {
    /// A failure without a position.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), position: Position::NONE, module: None }
    }

    /// A syntax error.
    pub fn parsing(error: ParseError, module: Option<&str>) -> Self {
        let ParseError(kind, position) = error;
        let message = match *kind {
            ParseErrorType::ExprTooDeep => format!("{kind} (limit max_expr_depth)"),
            _ => kind.to_string(),
        };
        Self { code: "script_invalid", message, position, module: module.map(Into::into) }
    }

    /// An error while the script ran.
    ///
    /// The position is that of the innermost call, or `place` if the error has none. The message names the innermost
    /// function.
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
                    if position.is_none() && !place.is_none() {
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
        let mut message = describe(error);
        if let Some(name) = functions.last() {
            match name.starts_with("anon$") {
                true => message.push_str(" (in a closure)"),
                false => message.push_str(&format!(" (in function {name})")),
            }
        }
        Self { code, message, position: outer, module }
    }

    /// Writes the failure as a map for the host.
    pub fn write(&self, writer: &mut Writer) {
        let place = |number: Option<usize>| number.map(|number| number as i64);
        writer.map(5);
        writer.string("code").string(self.code);
        writer.string("message").string(&self.message);
        writer.string("line").optional_int(place(self.position.line()));
        writer.string("column").optional_int(place(self.position.position()));
        writer.string("module").optional_string(self.module.as_deref());
    }
}

/// The message of an error whose position has been taken out.
fn describe(error: EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(thrown, _) => match thrown.into_immutable_string() {
            Ok(text) => text.to_string(),
            Err("()") => "an error was thrown".into(),
            Err(kind) => format!("a value of type {} was thrown", type_name(kind)),
        },
        EvalAltResult::ErrorDataTooLarge(ref what, _) => {
            let limit = match what {
                what if what.contains("string") => "max_string_size",
                what if what.contains("map") => "max_map_size",
                _ => "max_array_size",
            };
            format!("{error} (limit {limit})")
        }
        EvalAltResult::ErrorStackOverflow(_) => format!("{error} (limit max_call_levels)"),
        EvalAltResult::ErrorTooManyOperations(_) => format!("{error} (limit max_operations)"),
        error => error.to_string(),
    }
}

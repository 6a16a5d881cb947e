//! The two things a guest does: compile a script, and run it.

use picloud_sdk::wire::Writer;
use rhai::Engine;

use crate::{
    compile::{Source, compile},
    engine::engine,
    failure::Failure,
    modules::Library,
    request::Request,
    response,
    script::Script,
};

/// An engine and the script that was compiled into it.
pub struct Interpreter {
    engine: Engine,
    library: Library,
    script: Option<Script>,
}

impl Default for Interpreter {
    fn default() -> Self {
        Self::new()
    }
}

impl Interpreter {
    /// An interpreter without a script.
    pub fn new() -> Self {
        let library = Library::default();
        Self { engine: engine(&library), library, script: None }
    }

    /// Compiles the script in `input` (MessagePack); gives the answer for the host (MessagePack).
    pub fn compile(&mut self, input: &[u8]) -> Writer {
        let mut answer = Writer::new();
        match self.try_compile(input) {
            Ok(imports) => {
                answer.array(2).int(0).map(1).string("imports").array(imports.len());
                for name in &imports {
                    answer.string(name);
                }
            }
            Err(failure) => failure.write(answer.array(2).int(1)),
        }
        answer
    }

    fn try_compile(&mut self, input: &[u8]) -> Result<Vec<String>, Failure> {
        let source =
            Source::read(input).map_err(|error| Failure::new("script_invalid", error.to_string()))?;
        source.limits.apply(&mut self.engine);
        let (ast, imports) = compile(&mut self.engine, &source, &mut self.library.borrow_mut())?;
        self.script = Some(Script::new(ast));
        Ok(imports)
    }

    /// Runs the compiled script on `input` (MessagePack); gives the answer for the host (MessagePack).
    pub fn run(&mut self, input: &[u8]) -> Writer {
        let (outcome, operations) = self.try_run(input);
        match outcome {
            Ok(writer) => writer,
            Err(failure) => {
                let mut answer = Writer::new();
                failure.write(answer.array(3).int(1).int(operations as i64));
                answer
            }
        }
    }

    fn try_run(&mut self, input: &[u8]) -> (Result<Writer, Failure>, u64) {
        let Some(script) = &self.script else {
            return (Err(Failure::new("script_invalid", "no script has been compiled")), 0);
        };
        let request =
            Request::read(input).map_err(|error| Failure::new("request_invalid", error.to_string()));
        let prepared = request.and_then(|request| {
            let max_bytes = request.max_response_bytes;
            Ok((request.into_ctx()?, max_bytes))
        });
        let (ctx, max_bytes) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return (Err(failure), 0),
        };
        let (result, operations) = script.run(&self.engine, ctx);
        let answer = result.and_then(|value| {
            let mut answer = Writer::new();
            answer.array(6).int(0).int(operations as i64);
            response::write(&mut answer, &value, max_bytes)?;
            Ok(answer)
        });
        (answer, operations)
    }
}

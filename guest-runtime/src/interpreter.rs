//! Compiling and running a script.

use picloud_sdk::wire::{Reader, Writer};
use rhai::Engine;

use crate::{
    compile::{Source, compile_modules, compile_script, literal_imports},
    engine::engine,
    failure::Failure,
    modules::Library,
    panic,
    request::Request,
    response,
    scratch::scratch,
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
        compile_modules(&self.engine, &source, &mut self.library.borrow_mut())?;
        if let Some((script, imports)) = self.compile_to_bytecode(&source) {
            self.script = Some(script);
            return Ok(imports);
        }
        let ast = compile_script(&mut self.engine, &source)?;
        let imports = literal_imports(&ast);
        self.script = Some(Script::new(ast));
        Ok(imports)
    }

    /// Compiles to bytecode and frees the tree; None for a script that needs its tree or fails to compile.
    fn compile_to_bytecode(&mut self, source: &Source<'_>) -> Option<(Script, Vec<String>)> {
        let work = || {
            let ast = compile_script(&mut self.engine, source).ok()?;
            let mut writer = Writer::new();
            let imports = literal_imports(&ast);
            writer.array(imports.len());
            for name in &imports {
                writer.string(name);
            }
            writer.bytes(&Script::write(&ast)?);
            Some(writer.into_bytes())
        };
        let keep = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let count = reader.array().ok()?;
            let imports: Result<Vec<String>, _> =
                (0..count).map(|_| reader.string().map(Into::into)).collect();
            Some((Script::read(reader.bytes().ok()?)?, imports.ok()?))
        };
        scratch(work, keep).flatten()
    }

    /// Runs the compiled script on `input` (MessagePack); gives the answer for the host (MessagePack).
    pub fn run(&mut self, input: &[u8]) -> Writer {
        panic::begin();
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
            Ok((request.into_ctx(&self.engine)?, max_bytes))
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

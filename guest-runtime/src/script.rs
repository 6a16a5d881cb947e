//! A compiled script: bytecode where it behaves like the tree walker, otherwise the syntax tree.

use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, Position, Scope, StmtBlock,
    grain::{SharedProgram, Vm},
};

use crate::{failure::Failure, grain};

/// A compiled script.
pub enum Script {
    /// Bytecode for Grain, Rhai's virtual machine.
    Compiled(SharedProgram),
    /// The top-level statements as one block, and the functions.
    Walked(Expr, AST),
}

impl Script {
    /// Serialized bytecode, for [`Script::read`]; None for a script that needs the tree walker.
    pub fn write(ast: &AST) -> Option<Vec<u8>> {
        if grain::agrees(ast) { grain::artifact(ast) } else { None }
    }

    /// Reads the bytecode that [`Script::write`] wrote.
    pub fn read(artifact: &[u8]) -> Option<Self> {
        grain::program(artifact).map(Self::Compiled)
    }

    /// The script as bytecode, or as a tree.
    pub fn new(ast: AST) -> Self {
        let program = grain::agrees(&ast).then(|| grain::whole_program(&ast)).flatten();
        program.map_or_else(|| Self::walked(ast), |program| Self::Compiled(program.into_shared()))
    }

    /// The script as a tree.
    pub fn walked(mut ast: AST) -> Self {
        let statements = ast.statements().iter().cloned();
        let body = StmtBlock::new(statements, Position::NONE, Position::NONE);
        ast.clear_statements();
        Self::Walked(Expr::Stmt(body.into()), ast)
    }

    /// Runs the script with `ctx` in scope; returns its value and the number of operations.
    pub fn run(&self, engine: &Engine, ctx: Dynamic) -> (Result<Dynamic, Failure>, u64) {
        let mut scope = Scope::new();
        scope.push_constant_dynamic("ctx", ctx);
        match self {
            Self::Compiled(program) => {
                let mut vm = Vm::new(engine);
                let result = vm.eval_with_callbacks(&mut scope, program).map_err(|error| {
                    Failure::running(*error, vm.fault_pc().map_or(Position::NONE, |at| place(program, at)))
                });
                (result, vm.into_global_state().num_operations)
            }
            Self::Walked(body, ast) => {
                let (result, operations) = walk(engine, &mut scope, body, ast);
                (result.map_err(|error| Failure::running(*error, Position::NONE)), operations)
            }
        }
    }
}

/// The position of an instruction, or of the last one before it that has a position: the end of a loop has none.
fn place(program: &SharedProgram, address: usize) -> Position {
    let positions = (0..=address).rev().map(|address| program.position(address));
    positions.into_iter().find(|position| !position.is_none()).unwrap_or(Position::NONE)
}

/// Like `Engine::eval_ast`, but returns the number of operations as well.
fn walk(
    engine: &Engine,
    scope: &mut Scope,
    body: &Expr,
    ast: &AST,
) -> (Result<Dynamic, Box<EvalAltResult>>, u64) {
    let mut global = engine.new_global_runtime_state();
    global.lib.push(ast.shared_lib().clone());
    let mut caches = Caches::new();
    let mut context = EvalContext::new(engine, &mut global, &mut caches, scope, None);
    // "Deprecated" says here that the function may change; the version of Rhai is pinned.
    #[allow(deprecated)]
    let result = context.eval_expression_tree_raw(&Expression::from(body), false);
    let result = result.or_else(|error| match *error {
        EvalAltResult::Return(value, _) | EvalAltResult::Exit(value, _) => Ok(value),
        error => Err(error.into()),
    });
    (result, global.num_operations)
}

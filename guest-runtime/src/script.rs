//! A script that is ready to run: bytecode where that says the same as the tree walker, the tree otherwise.

use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, Position, Scope, StmtBlock,
    grain::{Compiler, SharedProgram, Vm},
};

use crate::{failure::Failure, grain};

/// A compiled script.
pub enum Script {
    /// Bytecode for Grain, Rhai's virtual machine.
    Compiled(SharedProgram),
    /// The statements of the tree as one block, and the functions they call.
    Walked(Expr, AST),
}

impl Script {
    /// Bytecode for a script that may run as such, written out; see [`Script::read`].
    pub fn write(ast: &AST) -> Option<Vec<u8>> {
        if grain::agrees(ast) { grain::artifact(ast) } else { None }
    }

    /// The script that was written out.
    pub fn read(artifact: &[u8]) -> Option<Self> {
        grain::program(artifact).map(Self::Compiled)
    }

    /// The script as a tree, or as bytecode that refers to the tree.
    pub fn new(ast: AST) -> Self {
        if grain::agrees(&ast) {
            return Self::Compiled(Compiler::new().compile(&ast).into_shared());
        }
        Self::walked(ast)
    }

    /// The script as a tree.
    pub fn walked(mut ast: AST) -> Self {
        let statements = ast.statements().iter().cloned();
        let body = StmtBlock::new(statements, Position::NONE, Position::NONE);
        ast.clear_statements();
        Self::Walked(Expr::Stmt(body.into()), ast)
    }

    /// Runs the script with `ctx` in scope; gives its value and the operations it took.
    pub fn run(&self, engine: &Engine, ctx: Dynamic) -> (Result<Dynamic, Failure>, u64) {
        let mut scope = Scope::new();
        scope.push_constant_dynamic("ctx", ctx);
        match self {
            Self::Compiled(program) => {
                let mut vm = Vm::new(engine);
                let result = vm.eval_with_callbacks(&mut scope, program).map_err(|error| {
                    // Some errors have no place, of functions in a namespace for one; the instruction has.
                    let place = vm.fault_pc().map_or(Position::NONE, |address| program.position(address));
                    Failure::running(*error, place)
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

/// What `Engine::eval_ast` does, with the count of operations kept.
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

//! One execution of a compiled script.

use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, Position, Scope, StmtBlock,
};

use crate::failure::Failure;

/// Runs `ast` with `ctx` in scope; gives its value and the operations it took.
pub fn run(engine: &Engine, ast: &AST, ctx: Dynamic) -> (Result<Dynamic, Failure>, u64) {
    let mut scope = Scope::new();
    scope.push_constant_dynamic("ctx", ctx);
    let mut global = engine.new_global_runtime_state();
    global.lib.push(ast.shared_lib().clone());
    let mut caches = Caches::new();
    let body: Expr =
        Expr::Stmt(StmtBlock::new(ast.statements().iter().cloned(), Position::NONE, Position::NONE).into());
    let mut context = EvalContext::new(engine, &mut global, &mut caches, &mut scope, None);
    #[allow(deprecated)]
    let result = context.eval_expression_tree_raw(&Expression::from(&body), false);
    let result = result.or_else(|error| match *error {
        EvalAltResult::Return(value, _) | EvalAltResult::Exit(value, _) => Ok(value),
        error => Err(Failure::running(error)),
    });
    (result, global.num_operations)
}

//! Which scripts may run as bytecode.

use rhai::{
    AST, ASTNode, Stmt,
    grain::{Compiler, Program, SharedProgram},
};

/// Whether Grain gives the same value, errors and limits as the tree walker.
///
/// `tests/differential` compares the two. In Rhai 1.27.0 they differ in one construct: the counter of
/// `for (item, counter) in ...` is written to the wrong variable wherever the scope held something before.
pub fn agrees(ast: &AST) -> bool {
    let mut agrees = true;
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::For(parts, _))) = path.last() {
            agrees &= parts.1.is_none();
        }
        agrees
    });
    agrees
}

/// The script as serialized bytecode; None where Grain leaves a part of it to the tree walker.
pub fn artifact(ast: &AST) -> Option<Vec<u8>> {
    Compiler::new().compile(ast).write().ok()
}

/// Reads the program in `artifact`, which this build must have written.
pub fn program(artifact: &[u8]) -> Option<SharedProgram> {
    Program::read(artifact).ok().map(Program::into_shared)
}

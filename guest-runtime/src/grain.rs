//! Which scripts may run as bytecode.

use rhai::{AST, ASTNode, Stmt};

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

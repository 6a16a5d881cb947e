//! Source text to syntax tree, and the shape of modules.

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, OptimizationLevel, Stmt};

use crate::failure::Failure;

/// Parses one source, and folds its constants.
///
/// Folding replaces a constant by its value on the left side of an assignment, too, and the interpreter
/// panics on that; such a script is left as it is written, and fails on the assignment when it runs.
pub fn parse(engine: &mut Engine, text: &str, module: Option<&str>) -> Result<AST, Failure> {
    engine.set_optimization_level(OptimizationLevel::Simple);
    let ast = engine.compile(text);
    engine.set_optimization_level(OptimizationLevel::None);
    let ast = ast.map_err(|error| Failure::parsing(error, module))?;
    if !assigns_to_constant(&ast) {
        return Ok(ast);
    }
    parse_as_written(engine, text, module)
}

/// Parses a module, whose shape is checked on what is written, before anything is folded away.
///
/// Rhai gives out the functions of a module, and only those constants that are exported; here all are.
pub fn parse_module(engine: &Engine, text: &str, name: Option<&str>) -> Result<AST, Failure> {
    let mut ast = parse_as_written(engine, text, name)?;
    check_shape(&ast, name)?;
    let exports: String =
        ast.statements().iter().filter_map(constant).map(|name| format!("export {name};")).collect();
    ast.combine(parse_as_written(engine, &exports, name)?);
    if let Some(name) = name {
        ast.set_source(name);
    }
    Ok(ast)
}

/// The engine folds nothing unless it is told to.
fn parse_as_written(engine: &Engine, text: &str, module: Option<&str>) -> Result<AST, Failure> {
    engine.compile(text).map_err(|error| Failure::parsing(error, module))
}

fn assigns_to_constant(ast: &AST) -> bool {
    let mut found = false;
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Assignment(parts))) = path.last() {
            let mut place = &parts.1.lhs;
            while let Expr::Dot(sides, ..) | Expr::Index(sides, ..) = place {
                place = &sides.lhs;
            }
            found |= place.is_constant();
        }
        !found
    });
    found
}

/// A module holds functions, constants and imports at top level, nothing else.
fn check_shape(ast: &AST, module: Option<&str>) -> Result<(), Failure> {
    let stray = ast.statements().iter().find(|statement| !belongs_in_module(statement));
    let Some(statement) = stray else { return Ok(()) };
    let message = "a module can only contain fn, const and import at top level";
    Err(Failure {
        position: statement.position(),
        module: module.map(Into::into),
        ..Failure::new("script_invalid", message)
    })
}

fn belongs_in_module(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Noop(_) | Stmt::Import(..)) || constant(statement).is_some()
}

/// The name of the constant that a statement declares.
fn constant(statement: &Stmt) -> Option<&str> {
    match statement {
        Stmt::Var(parts, options, _) if options.contains(ASTFlags::CONSTANT) => Some(&parts.0.name),
        _ => None,
    }
}

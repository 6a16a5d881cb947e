//! Source to program: parsing, the shape of modules, and the list of imports.

use std::collections::BTreeSet;

use picloud_sdk::wire::{Reader, WireError};
use rhai::{AST, ASTNode, Engine, Expr, OptimizationLevel, Stmt};

use crate::{failure::Failure, limits::Limits, modules::Shelf};

/// What the host sends to `compile`.
pub struct Source<'a> {
    pub text: &'a str,
    pub is_module: bool,
    pub limits: Limits,
    /// Sources of modules, by name.
    pub modules: Vec<(&'a str, &'a str)>,
}

impl<'a> Source<'a> {
    /// Reads the MessagePack map of the interface.
    pub fn read(input: &'a [u8]) -> Result<Self, WireError> {
        let mut source = Self { text: "", is_module: false, limits: Limits::default(), modules: Vec::new() };
        let mut reader = Reader::new(input);
        for _ in 0..reader.map()? {
            match reader.string()? {
                "source" => source.text = text(&mut reader)?,
                "kind" => source.is_module = reader.string()? == "module",
                "limits" => source.limits = Limits::read(&mut reader)?,
                "modules" => {
                    for _ in 0..reader.map()? {
                        let name = reader.string()?;
                        source.modules.push((name, text(&mut reader)?));
                    }
                }
                _ => drop(reader.value()?),
            }
        }
        Ok(source)
    }
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, WireError> {
    std::str::from_utf8(reader.bytes()?).map_err(|_| WireError::NotText)
}

/// Parses a script and its modules; the modules go to `shelf`.
pub fn compile(
    engine: &mut Engine,
    source: &Source<'_>,
    shelf: &mut Shelf,
) -> Result<(AST, Vec<String>), Failure> {
    let ast = parse(engine, source.text, None)?;
    if source.is_module {
        check_shape(&ast, None)?;
    }
    let imports = literal_imports(&ast);
    shelf.clear();
    shelf.max_depth = source.limits.max_import_depth;
    for &(name, text) in &source.modules {
        let mut module = parse(engine, text, Some(name))?;
        check_shape(&module, Some(name))?;
        module.set_source(name);
        shelf.compiled.insert(name.into(), module);
    }
    Ok((ast, imports))
}

/// Parses one source, and folds its constants.
///
/// Folding replaces a constant by its value on the left side of an assignment, too, and the interpreter
/// panics on that; such a script is left as it is written, and fails on the assignment when it runs.
fn parse(engine: &mut Engine, text: &str, module: Option<&str>) -> Result<AST, Failure> {
    let ast = engine.compile(text).map_err(|error| Failure::parsing(error, module))?;
    if !assigns_to_constant(&ast) {
        return Ok(ast);
    }
    let level = engine.optimization_level();
    engine.set_optimization_level(OptimizationLevel::None);
    let ast = engine.compile(text);
    engine.set_optimization_level(level);
    ast.map_err(|error| Failure::parsing(error, module))
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
    let message = "a module holds only fn, const and import at top level";
    Err(Failure {
        position: statement.position(),
        module: module.map(Into::into),
        ..Failure::new("script_invalid", message)
    })
}

fn belongs_in_module(statement: &Stmt) -> bool {
    match statement {
        Stmt::Noop(_) | Stmt::Import(..) => true,
        Stmt::Var(..) => statement.options().intersects(rhai::ASTFlags::CONSTANT),
        _ => false,
    }
}

/// The names in `import "name"`, wherever the statement stands, sorted.
fn literal_imports(ast: &AST) -> Vec<String> {
    let mut names = BTreeSet::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(name, _) = &import.0
        {
            names.insert(name.to_string());
        }
        true
    });
    names.into_iter().collect()
}

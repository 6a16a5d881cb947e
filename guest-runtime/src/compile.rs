//! Compiling: the input of `compile`, modules, script, and the list of imports.

use std::collections::BTreeSet;

use picloud_sdk::{
    body::without_bom,
    wire::{Reader, WireError},
};
use rhai::{AST, ASTNode, Engine, Expr, Stmt};

use crate::{
    failure::Failure,
    limits::Limits,
    modules::ModuleRegistry,
    parse::{parse, parse_module},
};

/// The input of `compile`.
pub struct Source<'a> {
    pub text: &'a str,
    pub is_module: bool,
    pub limits: Limits,
    /// Sources of modules, by name.
    pub modules: Vec<(&'a str, &'a str)>,
}

impl<'a> Source<'a> {
    /// Reads the MessagePack map from the host.
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
    std::str::from_utf8(reader.bytes()?).map(without_bom).map_err(|_| WireError::NotText)
}

/// Parses the modules into `registry`.
pub fn compile_modules(
    engine: &Engine,
    source: &Source<'_>,
    registry: &mut ModuleRegistry,
) -> Result<(), Failure> {
    registry.clear();
    registry.max_depth = source.limits.max_import_depth;
    for &(name, text) in &source.modules {
        registry.compiled.insert(name.into(), parse_module(engine, text, Some(name))?);
    }
    Ok(())
}

/// Parses the script itself.
pub fn compile_script(engine: &mut Engine, source: &Source<'_>) -> Result<AST, Failure> {
    match source.is_module {
        true => parse_module(engine, source.text, None),
        false => parse(engine, source.text, None),
    }
}

/// The names of all `import "name"` statements, sorted.
pub fn literal_imports(ast: &AST) -> Vec<String> {
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

//! `import "name" as m;`: modules come from the sources that were given when the script was compiled.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

type SharedModule = Shared<Module>;

/// The modules a script can import, by name.
pub type Library = Rc<RefCell<Shelf>>;

/// Compiled modules, those that were loaded in this execution, and those that are being loaded.
#[derive(Default)]
pub struct Shelf {
    pub compiled: BTreeMap<String, AST>,
    pub max_depth: usize,
    loaded: BTreeMap<String, SharedModule>,
    loading: Vec<String>,
}

impl Shelf {
    /// Takes every module away.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Gives the interpreter modules from a [`Library`], each evaluated once.
pub struct Resolver {
    library: Library,
}

impl Resolver {
    pub fn new(library: Library) -> Self {
        Self { library }
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        name: &str,
        position: Position,
    ) -> Result<SharedModule, Box<EvalAltResult>> {
        let ast = {
            let mut shelf = self.library.borrow_mut();
            if let Some(module) = shelf.loaded.get(name) {
                return Ok(module.clone());
            }
            if shelf.loading.iter().any(|loading| loading == name) {
                return Err(refused(format!("import: module {name} imports itself"), position));
            }
            if shelf.loading.len() >= shelf.max_depth {
                let limit = shelf.max_depth;
                return Err(refused(format!("import: modules nested deeper than {limit}"), position));
            }
            let Some(ast) = shelf.compiled.get(name).cloned() else {
                return Err(EvalAltResult::ErrorModuleNotFound(name.into(), position).into());
            };
            shelf.loading.push(name.into());
            ast
        };
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine);
        let mut shelf = self.library.borrow_mut();
        shelf.loading.pop();
        let mut module =
            module.map_err(|error| EvalAltResult::ErrorInModule(name.into(), error, position))?;
        module.set_id(name);
        let module: SharedModule = module.into();
        shelf.loaded.insert(name.into(), module.clone());
        Ok(module)
    }
}

fn refused(message: String, position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), position).into()
}

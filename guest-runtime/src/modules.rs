//! `import "name" as m;`: modules come from the sources that were given when the script was compiled.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use rhai::{AST, Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

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

    /// The tree of a module that is to be loaded now, unless it may not be.
    fn start(&mut self, name: &str, position: Position) -> Result<AST, Box<EvalAltResult>> {
        if self.loading.iter().any(|loading| loading == name) {
            return Err(refused(format!("import: module {name} imports itself"), position));
        }
        let Some(ast) = self.compiled.get(name).cloned() else {
            return Err(EvalAltResult::ErrorModuleNotFound(name.into(), position).into());
        };
        if self.loading.len() >= self.max_depth {
            let limit = self.max_depth;
            return Err(refused(
                format!("import: modules nested deeper than {limit} (max_import_depth)"),
                position,
            ));
        }
        self.loading.push(name.into());
        Ok(ast)
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
        let mut global = engine.new_global_runtime_state();
        self.resolve_raw(engine, &mut global, &mut Scope::new(), name, position)
    }

    /// What a module does while it loads counts as done by the script.
    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope<'_>,
        name: &str,
        position: Position,
    ) -> Result<SharedModule, Box<EvalAltResult>> {
        if let Some(module) = self.library.borrow().loaded.get(name) {
            return Ok(module.clone());
        }
        let ast = self.library.borrow_mut().start(name, position)?;
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &ast);
        let mut shelf = self.library.borrow_mut();
        shelf.loading.pop();
        let module = module.map_err(|error| EvalAltResult::ErrorInModule(name.into(), error, position))?;
        let module: SharedModule = module.into();
        shelf.loaded.insert(name.into(), module.clone());
        Ok(module)
    }
}

fn refused(message: String, position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into(), position).into()
}

//! Resolving `import "name" as m;`. Modules with literal names come with the script; other names are asked from the
//! host.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use picloud_sdk::{NAMESPACES, module, shown::cut};
use rhai::{AST, Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use crate::{panic, parse::parse_module};

/// Bytes of a name in a message. A script can make up a name of any length.
const MAX_NAME: usize = 100;

type Thrown = Box<EvalAltResult>;
type SharedModule = Shared<Module>;

/// The modules a script can import, by name.
pub type Library = Rc<RefCell<ModuleRegistry>>;

/// Compiled modules, the modules loaded in this execution, and those being loaded.
#[derive(Default)]
pub struct ModuleRegistry {
    pub compiled: BTreeMap<String, AST>,
    pub max_depth: usize,
    loaded: BTreeMap<String, SharedModule>,
    loading: Vec<String>,
}

impl ModuleRegistry {
    /// Removes all modules.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Marks a module as being loaded, or says why it cannot be imported.
    fn start(&mut self, name: &str, position: Position) -> Result<(), Thrown> {
        if NAMESPACES.contains(&name) {
            return Err(refused(
                format!("import: {name} is a built-in namespace and needs no import"),
                position,
            ));
        }
        if self.loading.iter().any(|loading| loading == name) {
            return Err(refused(format!("import: module {name} imports itself"), position));
        }
        if self.loading.len() >= self.max_depth {
            let limit = self.max_depth;
            return Err(refused(
                format!("import: modules are nested deeper than {limit} levels (max_import_depth)"),
                position,
            ));
        }
        self.loading.push(name.into());
        Ok(())
    }
}

/// Resolves imports from a [`Library`]; each module is evaluated once.
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
    ) -> Result<SharedModule, Thrown> {
        let mut global = engine.new_global_runtime_state();
        self.resolve_raw(engine, &mut global, &mut Scope::new(), name, position)
    }

    /// Operations of a loading module count as operations of the script.
    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _scope: &mut Scope<'_>,
        name: &str,
        position: Position,
    ) -> Result<SharedModule, Thrown> {
        if let Some(module) = self.library.borrow().loaded.get(name) {
            return Ok(module.clone());
        }
        self.library.borrow_mut().start(name, position)?;
        let module = self.load(engine, global, name, position);
        let mut registry = self.library.borrow_mut();
        registry.loading.pop();
        let module: SharedModule = module?.into();
        registry.loaded.insert(name.into(), module.clone());
        Ok(module)
    }
}

impl Resolver {
    fn load(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        name: &str,
        position: Position,
    ) -> Result<Module, Thrown> {
        panic::forget();
        let compiled = self.library.borrow().compiled.get(name).cloned();
        let ast = match compiled {
            Some(ast) => ast,
            None => fetch(engine, name, position)?,
        };
        Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &ast)
            .map_err(|error| EvalAltResult::ErrorInModule(name.into(), error, position).into())
    }
}

/// Compiles a module that did not come with the script.
fn fetch(engine: &Engine, name: &str, position: Position) -> Result<AST, Thrown> {
    // The reason is the operator's business, not the script's.
    let unavailable = || refused(format!("module unavailable: {}", cut(name, MAX_NAME)), position);
    let not_found = || refused(format!("module not found: {}", cut(name, MAX_NAME)), position);
    let source = module::source(name).map_err(|_| unavailable())?.ok_or_else(not_found)?;
    let text = std::str::from_utf8(&source).map_err(|_| unavailable())?;
    parse_module(engine, text, Some(name)).map_err(|failure| {
        let error = refused(failure.message, failure.position);
        EvalAltResult::ErrorInModule(name.into(), error, position).into()
    })
}

fn refused(message: String, position: Position) -> Thrown {
    EvalAltResult::ErrorRuntime(message.into(), position).into()
}

//! Handles to collections, such as `kv::collection` returns.

use rhai::{Dynamic, Engine, FuncRegistration, INT, ImmutableString, Module, NativeCallContext, Variant};

use crate::args;
use crate::error::Thrown;
use crate::host::{self, Import, Reply};
use crate::limits::{DEFAULT_PAGE_ITEMS, MAX_COLLECTION_NAME_BYTES, MAX_PAGE_ITEMS};
use crate::wire::Writer;

/// A handle to one of the app's collections. Creating one checks the name and does not call the host.
///
/// Each namespace has its own type instead of a generic one: Rhai compares type names at every method call, and the
/// names of generic types have a long common prefix.
pub trait Handle: Variant + Clone {
    /// The function that returns a handle, which is also the name of its type: `kv::collection`.
    const FUNCTION: &'static str;

    /// A handle to the collection of this name.
    fn new(name: ImmutableString) -> Self;

    /// The name of the collection.
    fn name(&self) -> &str;

    /// Starts the `count` parameters of a host call with the name of the collection.
    fn params(&self, count: usize) -> Writer {
        let mut params = Writer::params(count);
        params.string(self.name());
        params
    }
}

/// Registers the function that returns a handle, and the handle's type.
pub fn register<H: Handle>(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("collection", |name: Dynamic| {
        args::name(H::FUNCTION, "name", name, MAX_COLLECTION_NAME_BYTES).map(H::new)
    });
    let namespace = H::FUNCTION.split("::").next().unwrap_or_default();
    engine.register_static_module(namespace, module.into());
    engine.register_type_with_name::<H>(H::FUNCTION);
}

/// Registers a method. It is pure, so that it can be called on a constant handle.
pub fn method(name: &str) -> FuncRegistration {
    FuncRegistration::new(name).with_purity(true).with_volatility(true)
}

/// Registers a method that returns a page, with optional cursor and limit.
///
/// `function` is its full name (`kv::list`); `read` converts the reply to a page.
pub fn pages<H: Handle>(
    engine: &mut Engine,
    function: &'static str,
    import: &'static Import,
    read: fn(&NativeCallContext, &str, &Reply) -> Result<Dynamic, Thrown>,
) {
    let page =
        move |context: &NativeCallContext, handle: &H, cursor: Option<Dynamic>, limit: Option<Dynamic>| {
            let cursor = cursor.map(|cursor| args::string(function, "cursor", cursor)).transpose()?;
            let limit =
                limit.map(|limit| args::size(function, "limit", &limit, 1, MAX_PAGE_ITEMS)).transpose()?;
            let mut params = handle.params(3);
            params.string(&cursor.unwrap_or_default()).int(limit.unwrap_or(DEFAULT_PAGE_ITEMS) as INT);
            read(context, function, &host::call(import, function, &params)?)
        };
    let name = function.rsplit("::").next().unwrap_or_default();
    method(name).register_into_engine(engine, move |context: NativeCallContext, h: &mut H| {
        page(&context, h, None, None)
    });
    method(name)
        .register_into_engine(engine, move |context: NativeCallContext, h: &mut H, cursor: Dynamic| {
            page(&context, h, Some(cursor), None)
        });
    method(name).register_into_engine(
        engine,
        move |context: NativeCallContext, h: &mut H, cursor: Dynamic, limit: Dynamic| {
            page(&context, h, Some(cursor), Some(limit))
        },
    );
}

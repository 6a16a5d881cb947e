//! Handles: what `kv::collection` and its like give.

use rhai::{Dynamic, Engine, FuncRegistration, INT, ImmutableString, Module, NativeCallContext, Variant};

use crate::args;
use crate::error::Thrown;
use crate::host::{self, Import, Reply};
use crate::limits::{DEFAULT_PAGE_ITEMS, MAX_COLLECTION_NAME_BYTES, MAX_PAGE_ITEMS};
use crate::wire::Writer;

/// One of the app's collections: the name is checked, and nothing else is done until a method is called.
///
/// Each namespace has a type of its own, and no generic one: Rhai compares the names of types at every call of a
/// method, and those of generic ones differ late.
pub trait Handle: Variant + Clone {
    /// The function that gives a handle, which is also the name of its type: `kv::collection`.
    const FUNCTION: &'static str;

    /// A handle on the collection of this name.
    fn new(name: ImmutableString) -> Self;

    /// The name of the collection.
    fn name(&self) -> &str;

    /// The start of a call's `count` parameters, of which the collection is the first.
    fn params(&self, count: usize) -> Writer {
        let mut params = Writer::params(count);
        params.string(self.name());
        params
    }
}

/// Registers the function that gives a handle, and the handle's type.
pub fn register<H: Handle>(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("collection", |name: Dynamic| {
        args::name(H::FUNCTION, "name", name, MAX_COLLECTION_NAME_BYTES).map(H::new)
    });
    let namespace = H::FUNCTION.split("::").next().unwrap_or_default();
    engine.register_static_module(namespace, module.into());
    engine.register_type_with_name::<H>(H::FUNCTION);
}

/// How a method is registered: it changes nothing in the handle, so that a constant one can be used too.
pub fn method(name: &str) -> FuncRegistration {
    FuncRegistration::new(name).with_purity(true).with_volatility(true)
}

/// Registers a method that gives a page, by cursor and limit, either of which can be left out.
///
/// `function` is its whole name (`kv::list`); `read` makes a page of what the host answered.
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

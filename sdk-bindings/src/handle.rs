//! Handles: what `kv::collection` and its like give.

use std::marker::PhantomData;

use rhai::{Dynamic, Engine, FuncRegistration, INT, ImmutableString, Module, NativeCallContext};

use crate::args::{self, Thrown};
use crate::host::{self, Import, Reply};
use crate::wire::Writer;

/// How many bytes the name of a collection may have.
const MAX_NAME: usize = 128;
/// How many entries a page has unless the script says it.
const DEFAULT_LIMIT: INT = 100;
/// How many entries a page may have.
const MAX_LIMIT: usize = 1_000;

/// A namespace whose functions are the methods of a handle.
pub trait Namespace: Clone + 'static {
    /// The function that gives a handle, which is also the name of its type: `kv::collection`.
    const COLLECTION: &'static str;
}

/// One of the app's collections: the name is checked, and nothing else is done until a method is called.
#[derive(Clone)]
pub struct Collection<N> {
    pub name: ImmutableString,
    namespace: PhantomData<N>,
}

impl<N> Collection<N> {
    /// The start of a call's `count` parameters, of which the collection is the first.
    pub fn params(&self, count: usize) -> Writer {
        let mut params = Writer::params(count);
        params.string(&self.name);
        params
    }
}

/// Registers the function that gives a handle, and the handle's type.
pub fn register<N: Namespace>(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("collection", |name: Dynamic| {
        let name = args::name(N::COLLECTION, "name", name, MAX_NAME)?;
        Ok::<_, Thrown>(Collection::<N> { name, namespace: PhantomData })
    });
    let namespace = N::COLLECTION.split("::").next().unwrap_or_default();
    engine.register_static_module(namespace, module.into());
    engine.register_type_with_name::<Collection<N>>(N::COLLECTION);
}

/// How a method is registered: it changes nothing in the handle, so that a constant one can be used too.
pub fn method(name: &str) -> FuncRegistration {
    FuncRegistration::new(name).with_purity(true).with_volatility(true)
}

/// Registers a method that gives a page, by cursor and limit, either of which can be left out.
///
/// `function` is its whole name (`kv::list`); `read` makes a page of what the host answered.
pub fn pages<N: Namespace>(
    engine: &mut Engine,
    function: &'static str,
    import: &'static Import,
    read: fn(&NativeCallContext, &str, &Reply) -> Result<Dynamic, Thrown>,
) {
    let page = move |context: &NativeCallContext,
                     collection: &Collection<N>,
                     cursor: Option<Dynamic>,
                     limit: Option<Dynamic>| {
        let cursor = cursor.map(|cursor| args::string(function, "cursor", cursor)).transpose()?;
        let limit = limit.map(|limit| args::size(function, "limit", &limit, 1, MAX_LIMIT)).transpose()?;
        let mut params = collection.params(3);
        params.string(&cursor.unwrap_or_default()).int(limit.map_or(DEFAULT_LIMIT, |limit| limit as INT));
        read(context, function, &host::call(import, function, &params)?)
    };
    let name = function.rsplit("::").next().unwrap_or_default();
    method(name).register_into_engine(engine, move |context: NativeCallContext, c: &mut Collection<N>| {
        page(&context, c, None, None)
    });
    method(name).register_into_engine(
        engine,
        move |context: NativeCallContext, c: &mut Collection<N>, cursor: Dynamic| {
            page(&context, c, Some(cursor), None)
        },
    );
    method(name).register_into_engine(
        engine,
        move |context: NativeCallContext, c: &mut Collection<N>, cursor: Dynamic, limit: Dynamic| {
            page(&context, c, Some(cursor), Some(limit))
        },
    );
}

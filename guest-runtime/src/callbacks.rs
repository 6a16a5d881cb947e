//! The array functions that take a closure, which look up its parameters once instead of for every element.
//!
//! Rhai's own versions call a closure first with no argument, then with the element, then with element and
//! index, and take the failure to find such a function as the sign to try the next. These ask once how many
//! parameters the closure has; a function they cannot tell that of is called the way Rhai does.

use std::cmp::Ordering;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnArgsVec, FnPtr, FuncRegistration, INT, NativeCallContext,
    Position,
};

type Thrown = Box<EvalAltResult>;

/// Registers `map`, `filter`, `some`, `all`, `index_of`, `find`, `reduce` and `sort` for arrays.
pub fn register(engine: &mut Engine) {
    let pure = |name| FuncRegistration::new(name).with_purity(true);
    pure("map").register_into_engine(engine, map);
    pure("filter").register_into_engine(engine, filter);
    pure("some").register_into_engine(engine, some);
    pure("all").register_into_engine(engine, all);
    pure("index_of").register_into_engine(engine, index_of);
    pure("find").register_into_engine(engine, find);
    pure("reduce").register_into_engine(
        engine,
        |context: NativeCallContext, array: &mut Array, function: FnPtr| {
            reduce(context, array, function, Dynamic::UNIT)
        },
    );
    pure("reduce").register_into_engine(engine, reduce);
    engine.register_fn("sort", sort);
}

fn map(context: NativeCallContext, array: &mut Array, function: FnPtr) -> Result<Array, Thrown> {
    let callback = Callback::new(&context, "map", function, 0);
    array.iter_mut().enumerate().map(|(index, item)| callback.call([], item, index)).collect()
}

fn filter(context: NativeCallContext, array: &mut Array, function: FnPtr) -> Result<Array, Thrown> {
    let callback = Callback::new(&context, "filter", function, 0);
    let mut kept = Array::new();
    for (index, item) in array.iter_mut().enumerate() {
        if callback.holds(item, index)? {
            kept.push(item.clone());
        }
    }
    Ok(kept)
}

fn some(context: NativeCallContext, array: &mut Array, function: FnPtr) -> Result<bool, Thrown> {
    Ok(first(&Callback::new(&context, "some", function, 0), array, true)?.is_some())
}

fn all(context: NativeCallContext, array: &mut Array, function: FnPtr) -> Result<bool, Thrown> {
    Ok(first(&Callback::new(&context, "all", function, 0), array, false)?.is_none())
}

fn index_of(context: NativeCallContext, array: &mut Array, function: FnPtr) -> Result<INT, Thrown> {
    let found = first(&Callback::new(&context, "index_of", function, 0), array, true)?;
    Ok(found.map_or(-1, |index| index as INT))
}

fn find(context: NativeCallContext, array: &mut Array, function: FnPtr) -> Result<Dynamic, Thrown> {
    let found = first(&Callback::new(&context, "index_of", function, 0), array, true)?;
    Ok(found.map_or(Dynamic::UNIT, |index| array[index].clone()))
}

/// The index of the first element of which the callback says `wanted`.
fn first(callback: &Callback<'_>, array: &mut Array, wanted: bool) -> Result<Option<usize>, Thrown> {
    for (index, item) in array.iter_mut().enumerate() {
        if callback.holds(item, index)? == wanted {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn reduce(
    context: NativeCallContext,
    array: &mut Array,
    function: FnPtr,
    initial: Dynamic,
) -> Result<Dynamic, Thrown> {
    let callback = Callback::new(&context, "reduce", function, 1);
    let mut items = array.iter_mut().enumerate();
    items.try_fold(initial, |result, (index, item)| callback.call([result], item, index))
}

/// Sorts by what `function` says of two elements: a number below, at or above zero, or whether the first comes
/// first. Stable: of a pair, the later element is the first argument, as in Rhai's own sort, and moves ahead only if
/// it comes first. A comparer that contradicts itself gives some order, and one that throws ends the sort.
fn sort(context: NativeCallContext, array: &mut Array, function: FnPtr) -> Result<(), Thrown> {
    let (function, _) = linked(&context, function, 2);
    let moves_ahead = |later: &Dynamic, earlier: &Dynamic| -> Result<bool, Thrown> {
        let answer = function.call_raw(&context, None, [later.clone(), earlier.clone()])?;
        Ok(match (answer.as_int(), answer.as_bool()) {
            (Ok(number), _) => number < 0,
            (_, Ok(first)) => first,
            // What Rhai does with any other answer.
            _ => later.type_id().cmp(&earlier.type_id()) == Ordering::Less,
        })
    };
    let mut merged = Array::with_capacity(array.len());
    let mut width = 1;
    while width < array.len() {
        for run in array.chunks_mut(2 * width) {
            let (left, right) = run.split_at_mut(width.min(run.len()));
            let (mut left, mut right) = (left.iter_mut().peekable(), right.iter_mut().peekable());
            while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
                let next = if moves_ahead(other, one)? { right.next() } else { left.next() };
                merged.extend(next.map(|item| item.clone()));
            }
            merged.extend(left.chain(right).map(|item| item.clone()));
        }
        std::mem::swap(array, &mut merged);
        merged.clear();
        width *= 2;
    }
    Ok(())
}

/// A function that is called for element after element.
struct Callback<'a> {
    context: &'a NativeCallContext<'a>,
    /// The array function it was handed to, for errors.
    caller: &'static str,
    function: FnPtr,
    shape: Shape,
}

/// What a function takes after the leading arguments.
enum Shape {
    Element,
    ElementAndIndex,
    /// Something else (the element as `this`, say), or not known.
    Other,
}

impl<'a> Callback<'a> {
    /// `leading` is the number of arguments before the element.
    fn new(
        context: &'a NativeCallContext<'a>,
        caller: &'static str,
        function: FnPtr,
        leading: usize,
    ) -> Self {
        let (function, shape) = match linked(context, function, leading + 1) {
            (function, true) => (function, Shape::Element),
            (function, false) => match linked(context, function, leading + 2) {
                (function, true) => (function, Shape::ElementAndIndex),
                (function, false) => (function, Shape::Other),
            },
        };
        Self { context, caller, function, shape }
    }

    /// Calls the function; an error names the array function, too.
    fn call<const N: usize>(
        &self,
        leading: [Dynamic; N],
        item: &mut Dynamic,
        index: usize,
    ) -> Result<Dynamic, Thrown> {
        let position = Dynamic::from(index as INT);
        if let Shape::Other = self.shape {
            let (item, at) = (Some(item), Some(N));
            return self.function.call_raw_with_extra_args(
                self.caller,
                self.context,
                item,
                leading,
                [position],
                at,
            );
        }
        let mut arguments: FnArgsVec<Dynamic> = leading.into_iter().collect();
        arguments.push(item.clone());
        if let Shape::ElementAndIndex = self.shape {
            arguments.push(position);
        }
        self.function.call_raw(self.context, None, arguments).map_err(|error| {
            let source = self.context.call_source().unwrap_or_default();
            let caller = self.caller.into();
            EvalAltResult::ErrorInFunctionCall(caller, source.into(), error, Position::NONE).into()
        })
    }

    /// Whether the function says `true` of an element.
    fn holds(&self, item: &mut Dynamic, index: usize) -> Result<bool, Thrown> {
        Ok(self.call([], item, index)?.as_bool().unwrap_or(false))
    }
}

/// The function tied to its definition, where the script has one of this name with that many parameters
/// besides the curried ones; and whether it has.
fn linked(context: &NativeCallContext, function: FnPtr, parameters: usize) -> (FnPtr, bool) {
    // A closure has a name of its own; a function of the script may have others of the same name.
    if !function.is_anonymous() {
        return (function, false);
    }
    let parameters = function.curry().len() + parameters;
    let library = context.global_runtime_state().lib.first();
    match library.and_then(|library| library.get_script_fn(function.fn_name(), parameters)) {
        Some(definition) => {
            let mut linked = FnPtr::from(definition.clone());
            linked.set_curry(function.curry().iter().cloned());
            (linked, true)
        }
        None => (function, false),
    }
}

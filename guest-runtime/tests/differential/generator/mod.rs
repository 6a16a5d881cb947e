//! Random scripts: well-formed, mostly meaningful, with loops that end and errors now and then.
//!
//! There are few names, so they are declared again, shadowed and captured all the time. A variable has a kind, so most
//! statements fit their values and a script goes on for a while. Nothing is wrapped in `try` just because it may fail.

mod expressions;
mod functions;
mod scope;
mod statements;

use scope::Scope;

/// A script, and the module that it imports as `m`, if any.
#[derive(Debug, Clone, Default)]
pub struct Case {
    pub script: String,
    pub module: Option<String>,
}

/// A case made from `seed`; equal seeds give equal cases. In every eighth, the functions are in the module.
pub fn case(seed: u64) -> Case {
    let mut generator = Generator {
        state: seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        ..Generator::default()
    };
    generator.in_module = seed % 8 == 7;
    let functions = generator.functions();
    generator.scope = Scope::default();
    generator.text.push_str("let log = [];\n");
    let depth = 2 + usize::from(generator.once_in(3));
    for _ in 0..3 + generator.below(7) {
        generator.statement(depth);
    }
    let body = std::mem::take(&mut generator.text);
    let values = generator.visible().join(", ");
    let value = generator.expression(2);
    let end = format!("[log, {value}, {values}]\n");
    match generator.in_module {
        true => Case { script: format!("import \"m\" as m;\n{body}{end}"), module: Some(functions) },
        false => Case { script: format!("{functions}{body}{end}"), module: None },
    }
}

/// What a value most likely is. The names in a scope have a kind, and an expression is asked for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Text,
    List,
    /// A map with the keys `a` (an integer), `b` (a list) and `c` (a map).
    Map,
    /// A closure with one parameter.
    Closure,
}

#[derive(Default)]
struct Generator {
    state: u64,
    text: String,
    scope: Scope,
    /// The functions of the script: name, number of parameters, whether it uses `this`.
    defined: Vec<(String, usize, bool)>,
    in_module: bool,
    in_function: bool,
    /// The loops around the statement, inside the function or closure.
    loops: usize,
    /// The literals around the statement.
    literals: usize,
    /// Counters of loops: names that nothing else assigns to.
    counters: usize,
}

impl Generator {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True in one of `of` cases.
    fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn kind(&mut self) -> Kind {
        let kinds = [
            Kind::Int,
            Kind::Int,
            Kind::Int,
            Kind::Text,
            Kind::List,
            Kind::List,
            Kind::Map,
            Kind::Map,
            Kind::Closure,
        ];
        kinds[self.below(kinds.len())]
    }

    /// A name out of few.
    fn name(&mut self) -> String {
        self.pick(&["x", "y", "z", "n", "f", "p"]).into()
    }

    fn counter(&mut self) -> String {
        self.counters += 1;
        format!("i{}", self.counters)
    }

    /// A variable of this kind; now and then one of another, or one that does not exist.
    fn known(&mut self, kind: Kind) -> Option<String> {
        if self.once_in(60) {
            return Some(self.name());
        }
        let names = self.scope.names(|variable| variable.kind == kind);
        (!names.is_empty()).then(|| names[self.below(names.len())].clone())
    }

    /// A variable that can be assigned to; now and then a constant.
    fn writable(&mut self) -> Option<(String, Kind)> {
        let constants = self.once_in(40);
        let names = self.scope.names(|variable| constants || !variable.constant);
        let name = (!names.is_empty()).then(|| names[self.below(names.len())].clone())?;
        let kind = self.scope.kind(&name);
        Some((name, kind))
    }

    /// The names of everything in scope.
    fn visible(&self) -> Vec<String> {
        self.scope.names(|_| true)
    }
}

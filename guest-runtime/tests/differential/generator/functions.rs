//! The functions of a script, or of the module that it imports.

use std::fmt::Write;

use super::{Generator, Kind};

impl Generator {
    /// Some functions, of the script or its module, as text.
    pub(super) fn functions(&mut self) -> String {
        let mut text = String::new();
        for index in 0..self.below(4) {
            if self.once_in(3) {
                let name = self.pick(&["K", "K", "L"]);
                let value = self.below(9);
                // A module has a constant once: it is an export.
                if !self.in_module {
                    let _ = writeln!(text, "const {name} = {value};");
                }
            }
            text.push_str(&self.function(index));
        }
        if self.once_in(4) {
            text.push_str(&self.recursion());
        }
        text
    }

    /// A call of one of the functions, from the script.
    pub(super) fn call_of_function(&mut self) -> Option<String> {
        let plain: Vec<_> = self.defined.iter().filter(|(.., this)| !this).cloned().collect();
        if plain.is_empty() {
            return None;
        }
        let (name, count, _) = plain[self.below(plain.len())].clone();
        let arguments: Vec<String> = (0..count).map(|_| self.of(Kind::Int, 1)).collect();
        let prefix = if self.in_module && !self.in_function { "m::" } else { "" };
        Some(format!("{prefix}{name}({})", arguments.join(", ")))
    }

    /// A call of one of the functions that use `this`, on a variable or a part of one.
    pub(super) fn call_of_method(&mut self) -> Option<String> {
        // A function of a module is no method.
        let methods: Vec<_> =
            self.defined.iter().filter(|(.., this)| *this && !self.in_module).cloned().collect();
        if methods.is_empty() {
            return None;
        }
        let (name, count, _) = methods[self.below(methods.len())].clone();
        let kind = self.kind();
        let target = self.known(kind)?;
        let part = match kind {
            Kind::Map => self.pick(&["", ".a", ".c", ".c.a", "[\"a\"]"]),
            Kind::List => self.pick(&["", "[0]", "[1]"]),
            _ => "",
        };
        let arguments: Vec<String> = (0..count).map(|_| self.of(Kind::Int, 1)).collect();
        Some(format!("{target}{part}.{name}({})", arguments.join(", ")))
    }

    fn function(&mut self, index: usize) -> String {
        let name = format!("f{index}");
        let this = self.once_in(3);
        let count = self.below(3);
        let outer = std::mem::take(&mut self.scope);
        let before = std::mem::take(&mut self.text);
        self.in_function = true;
        let mut parameters = Vec::new();
        for _ in 0..count {
            let parameter = self.name();
            if !parameters.contains(&parameter) {
                self.scope.declare(&parameter, Kind::Int, false);
                parameters.push(parameter);
            }
        }
        if this {
            self.change_this();
        }
        for _ in 0..self.below(4) {
            self.statement(2);
        }
        if this && self.once_in(2) {
            self.change_this();
        }
        let value = self.expression(2);
        let kept = if self.once_in(3) { "return " } else { "" };
        let body = std::mem::replace(&mut self.text, before);
        self.in_function = false;
        self.scope = outer;
        self.defined.push((name.clone(), parameters.len(), this));
        format!("fn {name}({}) {{\n{body}{kept}{value}\n}}\n", parameters.join(", "))
    }

    /// A statement that reads or writes `this`.
    fn change_this(&mut self) {
        let value = self.of(Kind::Int, 1);
        let statement = match self.below(10) {
            0 if self.once_in(3) => format!("this = {value};"),
            0 | 1 if self.once_in(3) => format!("this += {value};"),
            0..=3 => format!("this.a += {value};"),
            4 => format!("this[0] = {value};"),
            5 => format!("this.push({value});"),
            6 => "print(`this ${this}`);".into(),
            _ => format!("let {} = this;", {
                let name = self.name();
                self.scope.declare(&name, Kind::Int, false);
                name
            }),
        };
        let _ = writeln!(self.text, "{statement}");
    }

    /// A function that calls itself through closures, some levels deep.
    fn recursion(&mut self) -> String {
        let levels = [1, 2, 3, 5, 8, 11, 14, 30, 70];
        let level = levels[self.below(levels.len())];
        let outer = std::mem::take(&mut self.scope);
        self.scope.declare("n", Kind::Int, false);
        let value = self.of(Kind::Int, 1);
        self.scope = outer;
        let step = match self.below(6) {
            0 => "r(n - 1)".to_owned(),
            1 => "[n - 1].map(|k| r(k)).reduce(|a, b| a + b, 0)".to_owned(),
            2 => "{ let s = 0; [n - 1].for_each(|| s += r(this)); s }".to_owned(),
            3 => "(|k| r(k)).call(n - 1)".to_owned(),
            4 => "{ let g = Fn(\"r\"); g.call(n - 1) }".to_owned(),
            _ => "{ let g = |k| r(k - 1); g.curry(n).call() }".to_owned(),
        };
        self.defined.push((format!("deep{level}"), 0, false));
        format!(
            "fn r(n) {{ if n <= 0 {{ {value} }} else {{ 1 + {step} }} }}\nfn deep{level}() {{ r({level}) }}\n"
        )
    }
}

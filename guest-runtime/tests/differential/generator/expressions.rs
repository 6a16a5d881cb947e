//! Expressions.

use super::{Generator, Kind};

impl Generator {
    /// An expression of any kind.
    pub(super) fn expression(&mut self, depth: usize) -> String {
        let kind = self.kind();
        self.of(kind, depth)
    }

    /// An expression whose value most likely is of this kind.
    pub(super) fn of(&mut self, kind: Kind, depth: usize) -> String {
        if self.once_in(50) {
            return self.odd(depth);
        }
        match self.below(10) {
            0..=3 => self.known(kind).unwrap_or_else(|| self.literal(kind)),
            4 => self.literal(kind),
            5 if depth > 0 => self.choice(kind, depth - 1),
            _ if depth == 0 => self.literal(kind),
            _ => match kind {
                Kind::Int => self.int(depth - 1),
                Kind::Text => self.string(depth - 1),
                Kind::List => self.list(depth - 1),
                Kind::Map => self.map(depth - 1),
                Kind::Closure => self.closure_value(depth - 1),
            },
        }
    }

    pub(super) fn condition(&mut self) -> String {
        // Rhai takes `if`, `switch` and the like at the start of a condition as a statement.
        let operand = |text: String| match text.starts_with(['i', 's', '{', 'l']) || text.starts_with("for ")
        {
            true => format!("({text})"),
            false => text,
        };
        let (left, right) = (operand(self.of(Kind::Int, 1)), operand(self.of(Kind::Int, 1)));
        let operator = self.pick(&["==", "!=", "<", ">", "<=", ">="]);
        let condition = format!("{left} {operator} {right}");
        match self.below(6) {
            0 => format!("!({condition})"),
            1 => format!("({condition}) && {}", self.pick(&["true", "false", "x"])),
            2 => format!("({condition}) || {}", self.pick(&["true", "false", "n > 1"])),
            3 => self.pick(&["true", "false"]).into(),
            _ => condition,
        }
    }

    fn literal(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Int => match self.below(8) {
                0 => self.pick(&["-3", "9223372036854775807", "1.5", "100"]).into(),
                _ => self.below(6).to_string(),
            },
            Kind::Text => self.pick(&["\"a\"", "\"bc\"", "\"\"", "`line`"]).into(),
            Kind::List => self.pick(&["[]", "[1, 2, 3]", "[4, \"z\"]", "[[1], [2, 3]]", "[5, 5]"]).into(),
            Kind::Map => self.pick(&["#{}", "#{ a: 1, b: [2], c: #{ a: 3, b: [4] } }", "#{ a: 5 }"]).into(),
            Kind::Closure => self.pick(&["|x| x", "|x| x + 1", "|n| n * n"]).into(),
        }
    }

    /// What does not fit.
    fn odd(&mut self, depth: usize) -> String {
        match self.below(11) {
            9 => self
                .pick(&[
                    "kv::collection(\"v\")",
                    "kv::collection(1)",
                    "kv::missing(1)",
                    "json::parse(\"[1]\")",
                    "no::such(1)",
                ])
                .into(),
            10 => "0..3".into(),
            0 => "()".into(),
            1 => "missing".into(),
            2 => "global::K".into(),
            3 => "ctx".into(),
            4 => "'x'".into(),
            5 if self.in_function => "this".into(),
            6 => format!("{}.is_shared()", self.name()),
            7 => format!("type_of({})", self.name()),
            _ => {
                let kind = self.kind();
                let wrong = self.known(kind).unwrap_or_else(|| "1".into());
                let part = self.pick(&[".a", "[0]", "[\"a\"]", ".len()", "?.a", ".b[0]", ".c.a"]);
                match depth {
                    0 => wrong,
                    _ => format!("{wrong}{part}"),
                }
            }
        }
    }

    /// A statement that has a value.
    fn choice(&mut self, kind: Kind, depth: usize) -> String {
        match self.below(5) {
            0 | 1 => format!(
                "if {} {{ {} }} else {{ {} }}",
                self.condition(),
                self.of(kind, depth),
                self.of(kind, depth)
            ),
            2 => format!(
                "switch {} {{ 0 | 1 => {}, 2..9 => {}, _ => {} }}",
                self.of(Kind::Int, depth),
                self.of(kind, depth),
                self.of(kind, depth),
                self.of(kind, depth)
            ),
            3 => {
                let mark = self.scope.mark();
                let (name, value) = (self.name(), self.of(kind, depth));
                self.scope.declare(&name, kind, false);
                let result = self.of(kind, depth);
                self.scope.rewind(mark);
                format!("{{ let {name} = {value}; {result} }}")
            }
            _ => format!("({} ?? {})", self.of(kind, depth), self.of(kind, depth)),
        }
    }

    /// A loop that gives a value, or none.
    pub(super) fn valued_loop(&mut self, depth: usize) -> String {
        self.loop_text(depth)
    }

    fn int(&mut self, depth: usize) -> String {
        match self.below(13) {
            0..=2 => {
                let (left, right) = (self.of(Kind::Int, depth), self.of(Kind::Int, depth));
                format!("({left} {} {right})", self.pick(&["+", "-", "*", "+", "%", "/"]))
            }
            3 => format!("{}.len()", self.place(Kind::List)),
            4 => {
                let index = self.known(Kind::Int).unwrap_or_else(|| "1".into());
                format!("{}[{index}]", self.place(Kind::List))
            }
            5 | 6 => {
                let part = self.pick(&[".a", "[\"a\"]", ".c.a", ".b[0]", "?.c?.a"]);
                format!("{}{part}", self.place(Kind::Map))
            }
            7 => format!("{}.call({})", self.place(Kind::Closure), self.of(Kind::Int, depth)),
            8 => self.call_of_function().unwrap_or_else(|| "global::K".into()),
            9 => self.call_of_method().unwrap_or_else(|| "global::L".into()),
            10 => {
                let (list, start) = (self.of(Kind::List, depth), self.of(Kind::Int, 0));
                format!("{list}.reduce(|a, b| a + b, {start})")
            }
            11 => "global::K".into(),
            _ => self.valued_loop(depth.min(1)),
        }
    }

    fn string(&mut self, depth: usize) -> String {
        match self.below(6) {
            0 => format!("({} + {})", self.of(Kind::Text, depth), self.expression(depth)),
            1 => format!("`<${{{}}}>`", self.expression(depth)),
            2 | 3 => {
                let inside = self.valued_loop(depth.min(1));
                format!("`<${{{}}}|${{{inside}}}|${{{}}}>`", self.expression(0), self.expression(0))
            }
            4 => format!("{}.to_string()", self.place(Kind::Int)),
            _ => format!("type_of({})", self.expression(depth)),
        }
    }

    fn list(&mut self, depth: usize) -> String {
        match self.below(9) {
            0 | 1 => format!("[{}, {}]", self.expression(depth), self.expression(depth)),
            2 | 3 => {
                self.literals += 1;
                let inside = self.valued_loop(depth.min(1));
                self.literals -= 1;
                format!("[{}, {inside}, {}]", self.of(Kind::Int, 0), self.of(Kind::Int, 0))
            }
            4..=6 => {
                let method =
                    self.pick(&["map", "map", "filter", "some", "find", "for_each", "all", "index_of"]);
                let closure = match self.below(3) {
                    0 => self.place(Kind::Closure),
                    _ => self.closure(0),
                };
                format!("{}.{method}({closure})", self.place(Kind::List))
            }
            7 => format!("{}.b", self.place(Kind::Map)),
            _ => format!("{}.keys()", self.place(Kind::Map)),
        }
    }

    fn map(&mut self, depth: usize) -> String {
        match self.below(4) {
            0 => format!("{}.c", self.place(Kind::Map)),
            1 => {
                let closure = self.method_closure();
                format!("#{{ a: {}, f: {closure} }}", self.of(Kind::Int, depth))
            }
            _ => format!(
                "#{{ a: {}, b: {}, c: {} }}",
                self.of(Kind::Int, depth),
                self.of(Kind::List, depth),
                self.of(Kind::Map, depth)
            ),
        }
    }

    fn closure_value(&mut self, depth: usize) -> String {
        match self.below(6) {
            0 => {
                let value = self.of(Kind::Int, depth);
                let (one, two) = (self.name(), self.name());
                match one == two {
                    true => format!("(|a, b| a - b).curry({value})"),
                    false => format!("(|{one}, {two}| {one} - {two}).curry({value})"),
                }
            }
            1 => format!("{}.curry({})", self.place(Kind::Closure), self.of(Kind::Int, depth)),
            2 => {
                let function = self.defined.iter().find(|(_, count, this)| *count == 1 && !this).cloned();
                match function {
                    Some((name, ..)) if !self.in_module => format!("Fn(\"{name}\")"),
                    _ => self.closure(depth),
                }
            }
            _ => self.closure(depth),
        }
    }

    /// A closure with one parameter, which may capture what is in scope.
    pub(super) fn closure(&mut self, depth: usize) -> String {
        let name = self.name();
        let mark = self.scope.mark();
        self.scope.declare(&name, Kind::Int, false);
        let loops = std::mem::take(&mut self.loops);
        let body = match self.below(4) {
            0 | 1 => self.of(Kind::Int, depth.min(1)),
            2 => match self.writable() {
                Some((place, _)) => {
                    format!("{{ {place} {} {name}; {place} }}", self.pick(&["=", "+=", "-="]))
                }
                None => name.clone(),
            },
            _ => {
                let before = std::mem::take(&mut self.text);
                self.block(depth.min(1));
                std::mem::replace(&mut self.text, before)
            }
        };
        self.loops = loops;
        self.scope.rewind(mark);
        format!("|{name}| {body}")
    }

    /// A closure for a property of a map, which may use `this`.
    fn method_closure(&mut self) -> String {
        let name = self.name();
        let body =
            self.pick(&["this.a += N", "this.a", "this.a = N", "{ this.a -= N; this }", "this.b.push(N)"]);
        format!("|{name}| {}", body.replace('N', &name))
    }

    /// A variable of this kind, or a literal in parentheses.
    fn place(&mut self, kind: Kind) -> String {
        self.known(kind).unwrap_or_else(|| format!("({})", self.literal(kind)))
    }
}

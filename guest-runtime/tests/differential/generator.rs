//! Random scripts: well-formed, mostly meaningful, with loops that end and errors now and then.

use std::fmt::Write;

/// A script made from `seed`; equal seeds give equal scripts.
pub fn script(seed: u64) -> String {
    let mut generator =
        Generator { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, ..Generator::default() };
    for index in 0..generator.below(4) {
        generator.function(index);
    }
    generator.text.push_str("let log = [];\n");
    generator.names.push("log".into());
    for _ in 0..3 + generator.below(8) {
        generator.statement(3);
    }
    let value = generator.expression(2);
    let _ = writeln!(generator.text, "[log, {value}]");
    generator.text
}

#[derive(Default)]
struct Generator {
    state: u64,
    text: String,
    /// Variables in scope.
    names: Vec<String>,
    /// Functions with their number of parameters.
    functions: Vec<(String, usize)>,
    fresh: usize,
    in_function: bool,
    loops: usize,
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

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn name(&mut self) -> String {
        self.fresh += 1;
        format!("v{}", self.fresh)
    }

    fn known(&mut self) -> String {
        if self.names.is_empty() || self.below(40) == 0 {
            return "missing".into();
        }
        let index = self.below(self.names.len());
        self.names[index].clone()
    }

    fn function(&mut self, index: usize) {
        let parameters: Vec<String> = (0..self.below(3)).map(|_| self.name()).collect();
        let name = format!("f{index}");
        let _ = writeln!(self.text, "fn {name}({}) {{", parameters.join(", "));
        let outer = std::mem::replace(&mut self.names, parameters.clone());
        self.in_function = true;
        for _ in 0..1 + self.below(4) {
            self.statement(2);
        }
        let value = self.expression(2);
        let _ = writeln!(self.text, "{value}\n}}");
        self.in_function = false;
        self.names = outer;
        self.functions.push((name, parameters.len()));
    }

    fn block(&mut self, depth: usize) {
        self.text.push_str("{\n");
        let count = self.names.len();
        for _ in 0..1 + self.below(3) {
            self.statement(depth);
        }
        self.names.truncate(count);
        self.text.push_str("}\n");
    }

    fn statement(&mut self, depth: usize) {
        let deeper = depth.saturating_sub(1);
        match self.below(if depth == 0 { 5 } else { 16 }) {
            0 | 1 => {
                let (name, value) = (self.name(), self.expression(2));
                let keyword = self.pick(&["let", "let", "let", "const"]);
                let _ = writeln!(self.text, "{keyword} {name} = {value};");
                self.names.push(name);
            }
            2 => {
                let (place, value) = (self.known(), self.expression(2));
                let operator = self.pick(&["=", "+=", "-=", "*=", "="]);
                let _ = writeln!(self.text, "{place} {operator} {value};");
            }
            3 => {
                let (place, index, value) = (self.known(), self.expression(1), self.expression(1));
                let operator = self.pick(&["=", "+="]);
                let _ = writeln!(self.text, "try {{ {place}[{index}] {operator} {value}; }} catch {{ }}");
            }
            4 => {
                let value = self.expression(2);
                let call = if self.in_function { "log::info" } else { "log.push" };
                let value = if self.in_function { format!("`${{{value}}}`") } else { value };
                let _ = writeln!(self.text, "{call}({value});");
            }
            5 | 6 => {
                let condition = self.condition();
                let _ = write!(self.text, "if {condition} ");
                self.block(deeper);
                if self.below(2) == 0 {
                    self.text.push_str("else ");
                    self.block(deeper);
                }
            }
            7 | 8 => {
                let name = self.name();
                let items = match self.below(3) {
                    0 => format!("0..{}", self.below(5)),
                    1 => "[3, \"a\", 2.5]".into(),
                    _ => "\"abc\"".into(),
                };
                let counter = if self.below(4) == 0 { format!("({name}, {name}c)") } else { name.clone() };
                let _ = write!(self.text, "for {counter} in {items} ");
                self.names.push(name);
                self.in_loop(deeper);
                self.names.pop();
            }
            9 => {
                let name = self.name();
                let limit = self.below(6);
                let _ = writeln!(self.text, "let {name} = 0; while {name} < {limit} {{ {name} += 1;");
                self.in_loop(deeper);
                self.text.push_str("}\n");
            }
            10 => {
                self.text.push_str("try ");
                self.block(deeper);
                let name = self.name();
                let _ = write!(self.text, "catch ({name}) ");
                self.names.push(name);
                self.block(deeper);
                self.names.pop();
            }
            11 => {
                let subject = self.expression(1);
                let _ = write!(self.text, "switch {subject} {{ 0 | 1 => ");
                self.block(deeper);
                let condition = self.condition();
                let _ = write!(self.text, ", 2..10 if {condition} => ");
                self.block(deeper);
                self.text.push_str(", \"a\" => 7, _ => ");
                self.block(deeper);
                self.text.push_str("}\n");
            }
            12 => {
                let (name, parameter) = (self.name(), self.name());
                let _ = write!(self.text, "let {name} = |{parameter}| ");
                self.names.push(parameter);
                let loops = std::mem::take(&mut self.loops);
                self.block(deeper);
                self.loops = loops;
                self.names.pop();
                self.text.push_str(";\n");
                let argument = self.expression(1);
                let _ = writeln!(self.text, "{name}.call({argument});");
                self.names.push(name);
            }
            13 if self.loops > 0 => {
                let condition = self.condition();
                let jump = self.pick(&["break", "continue"]);
                let _ = writeln!(self.text, "if {condition} {{ {jump}; }}");
            }
            14 if self.below(6) == 0 => {
                let value = self.expression(1);
                let keyword = self.pick(&["throw", "return"]);
                let condition = self.condition();
                let _ = writeln!(self.text, "if {condition} {{ {keyword} {value}; }}");
            }
            _ => self.block(deeper),
        }
    }

    fn in_loop(&mut self, depth: usize) {
        self.loops += 1;
        self.block(depth);
        self.loops -= 1;
    }

    fn condition(&mut self) -> String {
        let (left, right) = (self.expression(1), self.expression(1));
        let operator = self.pick(&["==", "!=", "<", ">", "<=", ">="]);
        let condition = format!("{left} {operator} {right}");
        match self.below(5) {
            0 => format!("!({condition})"),
            1 => format!("({condition}) && true"),
            2 => format!("({condition}) || false"),
            _ => condition,
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        let deeper = depth.saturating_sub(1);
        match self.below(if depth == 0 { 5 } else { 16 }) {
            0 | 1 => self.below(10).to_string(),
            2 => self
                .pick(&["\"a\"", "\"bc\"", "1.5", "true", "()", "'x'", "-3", "9223372036854775807"])
                .into(),
            3 | 4 => self.known(),
            5..=7 => {
                let (left, right) = (self.expression(deeper), self.expression(deeper));
                let operator = self.pick(&["+", "-", "*", "/", "%", "+", "+", "??", "=="]);
                format!("({left} {operator} {right})")
            }
            8 => format!("[{}, {}]", self.expression(deeper), self.expression(deeper)),
            9 => format!("#{{ a: {}, b: {} }}", self.expression(deeper), self.expression(deeper)),
            10 => format!("{}.a", self.known()),
            11 => format!("{}[{}]", self.known(), self.expression(deeper)),
            12 => {
                let method =
                    self.pick(&["len()", "to_string()", "is_shared()", "type_of()", "keys()", "pop()"]);
                format!("{}.{method}", self.known())
            }
            13 if !self.functions.is_empty() => {
                let index = self.below(self.functions.len());
                let (name, count) = self.functions[index].clone();
                let arguments: Vec<String> = (0..count).map(|_| self.expression(deeper)).collect();
                format!("{name}({})", arguments.join(", "))
            }
            14 => {
                let closure = format!("|x| x {} {}", self.pick(&["+", "*", "=="]), self.expression(0));
                let method = self.pick(&["map", "filter", "some", "all", "find"]);
                format!("[1, 2, \"z\"].{method}({closure})")
            }
            _ => format!(
                "if {} {{ {} }} else {{ {} }}",
                self.condition(),
                self.expression(deeper),
                self.expression(deeper)
            ),
        }
    }
}

//! Statements.

use std::fmt::Write;

use super::{Generator, Kind};

impl Generator {
    pub(super) fn statement(&mut self, depth: usize) {
        let deeper = depth.saturating_sub(1);
        match self.below(if depth == 0 { 12 } else { 30 }) {
            0..=2 => self.declaration(),
            3 | 4 => self.assignment(),
            5..=7 => self.assignment_to_part(),
            8 => {
                let value = self.expression(2);
                let _ = writeln!(self.text, "print({value});");
            }
            9 => {
                let call = if self.once_in(2) { self.call_of_method() } else { self.call_of_function() };
                if let Some(call) = call {
                    let _ = writeln!(self.text, "{call};");
                }
            }
            10 => self.change(),
            11 => match self.loops {
                0 => self.assignment(),
                _ => self.jump(),
            },
            12 | 13 => {
                let condition = self.condition();
                let _ = write!(self.text, "if {condition} ");
                self.block(deeper);
                if self.once_in(2) {
                    self.text.push_str("else ");
                    self.block(deeper);
                }
            }
            14..=18 => self.loop_statement(deeper),
            // Seldom in a literal, which then runs on the walker.
            19 | 20 if self.literals == 0 || self.once_in(8) => self.try_statement(deeper),
            21 | 22 => self.switch_statement(deeper),
            23 | 24 => {
                let name = self.name();
                let closure = self.closure(deeper);
                let _ = writeln!(self.text, "let {name} = {closure};");
                self.scope.declare(&name, Kind::Closure, false);
            }
            25 if self.once_in(4) => {
                let value = self.expression(1);
                let keyword = self.pick(&["throw", "return"]);
                let condition = self.condition();
                let _ = writeln!(self.text, "if {condition} {{ {keyword} {value}; }}");
            }
            26 => {
                let value = self.valued_loop(deeper);
                let name = self.name();
                let _ = writeln!(self.text, "let {name} = {value};");
                self.scope.declare(&name, Kind::Int, false);
            }
            28 if self.once_in(4) => self.growth(),
            27 if !self.in_function => {
                let value = self.below(9);
                let name = self.pick(&["K", "K", "L"]);
                let keyword = self.pick(&["const", "const", "const", "let"]);
                let _ = writeln!(self.text, "{keyword} {name} = {value};");
                self.scope.declare(name, Kind::Int, keyword == "const");
            }
            _ => self.block(deeper),
        }
    }

    pub(super) fn block(&mut self, depth: usize) {
        self.text.push_str("{\n");
        let mark = self.scope.mark();
        for _ in 0..1 + self.below(3) {
            self.statement(depth);
        }
        if self.once_in(4) {
            let value = self.expression(1);
            let _ = writeln!(self.text, "{value}");
        }
        self.scope.rewind(mark);
        self.text.push_str("}\n");
    }

    fn declaration(&mut self) {
        let (name, kind) = (self.name(), self.kind());
        let value = self.of(kind, 2);
        let constant = self.once_in(20);
        let keyword = if constant { "const" } else { "let" };
        let _ = writeln!(self.text, "{keyword} {name} = {value};");
        self.scope.declare(&name, kind, constant);
    }

    fn assignment(&mut self) {
        let Some((name, kind)) = self.writable() else { return self.declaration() };
        let operator = self.pick(&["=", "=", "+=", "-=", "*="]);
        let kind = if operator == "=" || self.once_in(8) { kind } else { Kind::Int };
        let value = self.of(kind, 2);
        let _ = writeln!(self.text, "{name} {operator} {value};");
    }

    /// An assignment to an element, a property, or a part of a part; on the wrong kind of value, too.
    fn assignment_to_part(&mut self) {
        let Some((name, kind)) = self.writable() else { return self.declaration() };
        let place = match kind {
            Kind::Map => self.pick(&[
                ".a",
                ".a",
                "[\"a\"]",
                ".q",
                "[\"q\"]",
                ".b[0]",
                ".b[1]",
                ".c.a",
                "[\"c\"][\"a\"]",
                ".c.q",
                ".q.a",
                "[\"q\"][\"a\"]",
                "[\"q\"].a",
                ".a.a",
                ".a[0]",
                "[\"a\"][\"b\"]",
                ".b.a",
                ".c[0]",
            ]),
            Kind::List => {
                self.pick(&["[0]", "[0]", "[1]", "[-1]", "[0][0]", "[0].a", "[\"a\"]", ".a", "[7]"])
            }
            Kind::Text => self.pick(&["[0]", "[0]", "[9]", ".a", "[\"a\"]"]),
            _ => self.pick(&["[0]", "[\"a\"]", ".a", "[\"a\"][0]"]),
        };
        let operator = self.pick(&["=", "=", "=", "+=", "-="]);
        let value = match (kind, self.below(4)) {
            (Kind::Text, 0..=2) => "'q'".into(),
            (_, 0) => self.expression(1),
            _ => self.of(Kind::Int, 1),
        };
        let statement = format!("{name}{place} {operator} {value};");
        let _ = match self.below(4 + self.literals * 8) {
            0 => writeln!(self.text, "try {{ {statement} }} catch {{ print(\"caught\"); }}"),
            1 => writeln!(self.text, "try {{ {statement} }} catch (err) {{ print(`${{err}}`); }}"),
            _ => writeln!(self.text, "{statement}"),
        };
    }

    /// A loop in which a value grows beyond a limit, or nearly.
    fn growth(&mut self) {
        let Some((name, kind)) = self.writable() else { return self.declaration() };
        let step = match kind {
            Kind::List => self.pick(&["N += N", "N.push(N)", "N = [N, N]", "N[0] = N", "N += [1, 2]"]),
            Kind::Map => {
                self.pick(&["N.q = N", "N.b.push(N)", "N = #{ a: N, b: [N] }", "N[N.len().to_string()] = 1"])
            }
            _ => self.pick(&["N += N", "N = `${N}${N}`", "N = N + N + \"ab\""]),
        };
        let (step, counter) = (step.replace('N', &name), self.counter());
        let end = 2 + self.below(60);
        let _ = writeln!(self.text, "for {counter} in 0..{end} {{ {step}; }}");
    }

    /// A call of a method that changes its value, or of a closure.
    fn change(&mut self) {
        let value = self.of(Kind::Int, 1);
        let kind = self.kind();
        let Some(target) = self.known(kind) else { return self.declaration() };
        let call = match kind {
            Kind::List => {
                self.pick(&["push(V)", "push(V)", "pop()", "insert(0, V)", "remove(0)", "reverse()"])
            }
            Kind::Map => {
                self.pick(&["b.push(V)", "c.b.pop()", "remove(\"a\")", "set(\"a\", V)", "f.call(V)", "f(V)"])
            }
            Kind::Closure => "call(V)",
            Kind::Text => self.pick(&["len()", "push('c')", "to_upper()"]),
            Kind::Int => self.pick(&["abs()", "to_string()", "call(|| this += V)"]),
        };
        let call = call.replace('V', &value);
        let _ = writeln!(self.text, "{target}.{call};");
    }

    /// `break` or `continue`, in what may lie between a loop and it.
    fn jump(&mut self) {
        let value = match self.below(3) {
            0 => self.expression(1),
            1 => self.of(Kind::Int, 1),
            _ => String::new(),
        };
        let jump = match self.below(4) {
            0 => "continue".to_owned(),
            _ => format!("break {value}"),
        };
        let condition = self.condition();
        let subject = self.of(Kind::Int, 1);
        let _ = match self.below(6) {
            0 => writeln!(self.text, "{jump};"),
            1 => writeln!(self.text, "switch {subject} {{ 0 | 1 | 2 => {{ {jump}; }}, _ => () }}"),
            2 | 3 if self.literals > 0 => writeln!(self.text, "if {condition} {{ {jump}; }}"),
            2 => {
                writeln!(self.text, "try {{ if {condition} {{ {jump}; }} }} catch {{ print(\"in catch\"); }}")
            }
            3 => writeln!(self.text, "try {{ throw 1; }} catch {{ if {condition} {{ {jump}; }} }}"),
            _ => writeln!(self.text, "if {condition} {{ {jump}; }}"),
        };
    }

    fn loop_statement(&mut self, depth: usize) {
        let text = self.loop_text(depth);
        self.text.push_str(&text);
        // As a statement by itself, `for` and `while` need nothing behind their block.
        self.text.push('\n');
    }

    /// A loop, which ends.
    pub(super) fn loop_text(&mut self, depth: usize) -> String {
        let before = std::mem::take(&mut self.text);
        let mark = self.scope.mark();
        match self.below(7) {
            0..=2 => {
                let (name, counter) = (self.name(), self.name());
                let (items, kind) = match self.below(4) {
                    0 => (format!("0..{}", self.below(5)), Kind::Int),
                    1 => ("[3, 1, 2]".into(), Kind::Int),
                    2 => ("\"abc\"".into(), Kind::Text),
                    _ => (self.of(Kind::List, 1), Kind::Int),
                };
                if self.once_in(4) && name != counter {
                    let _ = write!(self.text, "for ({name}, {counter}) in {items} ");
                    self.scope.declare(&counter, Kind::Int, false);
                } else {
                    let _ = write!(self.text, "for {name} in {items} ");
                }
                self.scope.declare(&name, kind, false);
                self.loops += 1;
                self.block(depth);
                self.loops -= 1;
            }
            shape => {
                let (counter, limit) = (self.counter(), 1 + self.below(4));
                let body = {
                    let outer = std::mem::take(&mut self.text);
                    self.loops += 1;
                    self.block(depth);
                    self.loops -= 1;
                    std::mem::replace(&mut self.text, outer)
                };
                let step = format!("{counter} += 1;");
                let test = format!("{counter} < {limit}");
                let end = match self.below(3) {
                    0 => "break;".to_owned(),
                    _ => format!("break {};", self.of(Kind::Int, 1)),
                };
                // The counter has its own block; the value of the loop is that of the block.
                let _ = match shape {
                    3 => write!(self.text, "{{ let {counter} = 0; while {test} {{ {step}\n{body} }} }}"),
                    4 => write!(self.text, "{{ let {counter} = 0; do {{ {step}\n{body} }} while {test}; }}"),
                    5 => {
                        write!(self.text, "{{ let {counter} = 0; do {{ {step}\n{body} }} until !({test}); }}")
                    }
                    _ => write!(
                        self.text,
                        "{{ let {counter} = 0; loop {{ {step}\nif {counter} > {limit} {{ {end} }}\n{body} }} }}"
                    ),
                };
            }
        }
        self.scope.rewind(mark);
        std::mem::replace(&mut self.text, before)
    }

    fn try_statement(&mut self, depth: usize) {
        self.text.push_str("try ");
        self.block(depth);
        let mark = self.scope.mark();
        if self.once_in(2) {
            let name = self.name();
            let _ = write!(self.text, "catch ({name}) ");
            self.scope.declare(&name, Kind::Text, false);
        } else {
            self.text.push_str("catch ");
        }
        if self.once_in(6) {
            self.text.push_str("{ throw; }\n");
        } else {
            self.block(depth);
        }
        self.scope.rewind(mark);
    }

    fn switch_statement(&mut self, depth: usize) {
        let subject = if self.once_in(3) { self.expression(1) } else { self.of(Kind::Int, 1) };
        let _ = write!(self.text, "switch {subject} {{ 0 | 1 => ");
        self.block(depth);
        let condition = self.condition();
        let _ = write!(self.text, ", 2..10 if {condition} => ");
        self.block(depth);
        self.text.push_str(", \"a\" => 7, _ => ");
        self.block(depth);
        self.text.push_str("}\n");
    }
}

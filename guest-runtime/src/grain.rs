//! Which scripts run as bytecode: those that consist of what is proven to agree with the tree walker.

use picloud_sdk::NAMESPACES;
use rhai::{
    AST, ASTFlags, ASTNode, BinaryExpr, Expr, FnCallExpr, ImmutableString, Stmt, StmtBlock,
    grain::{Compiler, Program, SharedProgram},
};

/// Calls that the walker resolves by their name and Grain in another way, or at another place.
const DOUBTFUL: [&str; 4] = ["eval", "is_def_var", "is_def_fn", "call"];

/// Whether Grain gives the same value, errors and limits as the tree walker.
///
/// An allow list over the syntax tree. `tests/differential` compares the two for everything on it; what is not on it
/// runs on the tree walker, with all of its script: an execution has one engine. A module is always walked, so a script
/// that imports one is, too.
pub fn agrees(ast: &AST) -> bool {
    let mut check = Check::default();
    let mut agrees = true;
    // The walk calls this for each statement at the top of the script and its functions; the check goes down itself,
    // because the walk leaves out the value of `break`.
    ast.walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            check.collect_constants(statement);
        }
        true
    });
    ast.walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            agrees &= check.statement(statement, Jumps::No);
        }
        agrees
    });
    agrees
}

/// The script as serialized bytecode; None where Grain leaves a part of it to the tree walker.
pub fn artifact(ast: &AST) -> Option<Vec<u8>> {
    whole_program(ast)?.write().ok()
}

/// The script as bytecode; None where Grain leaves a part of it to the tree walker.
pub fn whole_program(ast: &AST) -> Option<Program<'static>> {
    let program = Compiler::new().compile(ast);
    let whole = program.residual_count() == 0 && program.functions().len() == ast.iter_functions().count();
    whole.then_some(program)
}

/// Reads the program in `artifact`, which this build must have written.
pub fn program(artifact: &[u8]) -> Option<SharedProgram> {
    Program::read(artifact).ok().map(Program::into_shared)
}

/// Whether `break` and `continue` are allowed: not where operands of an expression wait on the stack of the machine.
#[derive(Clone, Copy, PartialEq)]
enum Jumps {
    Yes,
    No,
}

/// What the check remembers on its way through a script.
#[derive(Default)]
struct Check {
    /// The names of all constants.
    constants: Vec<ImmutableString>,
    /// The variables that the closures met so far capture.
    captured: Vec<ImmutableString>,
    /// The array and map literals around the expression.
    literals: usize,
}

impl Check {
    fn collect_constants(&mut self, statement: &Stmt) {
        statement.walk(&mut Vec::new(), &mut |path| {
            if let Some(ASTNode::Stmt(Stmt::Var(parts, options, _))) = path.last()
                && options.contains(ASTFlags::CONSTANT)
            {
                self.constants.push(parts.0.name.clone());
            }
            true
        });
    }

    fn block(&mut self, block: &StmtBlock, jumps: Jumps) -> bool {
        block.statements().iter().all(|statement| self.statement(statement, jumps))
    }

    fn statement(&mut self, statement: &Stmt, jumps: Jumps) -> bool {
        match statement {
            Stmt::Noop(_) => true,
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::Block(block) => self.block(block, jumps),
            Stmt::If(parts, _) => {
                self.expression(&parts.expr)
                    && self.block(&parts.body, jumps)
                    && self.block(&parts.branch, jumps)
            }
            Stmt::Switch(parts, _) => {
                let (subject, arms) = &**parts;
                self.expression(subject)
                    && arms.expressions.iter().all(|arm| {
                        self.expression(&arm.lhs)
                            && match &arm.rhs {
                                Expr::Stmt(block) => self.block(block, jumps),
                                value => self.expression(value),
                            }
                    })
            }
            Stmt::While(parts, _) | Stmt::Do(parts, ..) => {
                self.expression(&parts.expr) && self.block(&parts.body, Jumps::Yes)
            }
            Stmt::For(parts, _) => self.expression(&parts.2.expr) && self.block(&parts.2.body, Jumps::Yes),
            Stmt::Var(parts, options, _) => {
                let (_, value, declared_before) = &**parts;
                // The functions see the first value of a constant that is declared again.
                let again = declared_before.is_some() && options.contains(ASTFlags::CONSTANT);
                !again && !options.contains(ASTFlags::EXPORTED) && self.expression(value)
            }
            Stmt::Assignment(parts) => self.assignment(&parts.1.lhs, &parts.1.rhs),
            Stmt::FnCall(call, _) => self.call(call),
            // An error leaves the size of the literal around it behind.
            Stmt::TryCatch(parts, _) => {
                self.literals == 0 && self.block(&parts.body, jumps) && self.block(&parts.branch, jumps)
            }
            Stmt::BreakLoop(value, ..) => {
                jumps == Jumps::Yes && value.as_ref().is_none_or(|value| self.expression(value))
            }
            Stmt::Return(value, ..) => value.as_ref().is_none_or(|value| self.expression(value)),
            Stmt::Share(variables) => {
                self.captured.extend(variables.iter().map(|(variable, _)| variable.name.clone()));
                true
            }
            _ => false,
        }
    }

    fn expression(&mut self, expression: &Expr) -> bool {
        match expression {
            Expr::DynamicConstant(..)
            | Expr::BoolConstant(..)
            | Expr::IntegerConstant(..)
            | Expr::FloatConstant(..)
            | Expr::CharConstant(..)
            | Expr::StringConstant(..)
            | Expr::Unit(_)
            | Expr::ThisPtr(_)
            | Expr::Property(..) => true,
            Expr::Variable(parts, ..) => parts.2.is_empty() || parts.2.root() == "global",
            Expr::Stmt(block) => self.block(block, Jumps::No),
            Expr::FnCall(call, _) => self.call(call),
            Expr::MethodCall(call, _) => !call.capture_parent_scope && self.all(&call.args),
            Expr::Dot(sides, ..) | Expr::Index(sides, ..) => self.chain(sides),
            Expr::And(operands, _) | Expr::Or(operands, _) | Expr::Coalesce(operands, _) => {
                self.all(operands)
            }
            Expr::InterpolatedString(parts, _) => self.all(parts),
            Expr::Array(elements, _) => self.literal(|check| check.all(elements)),
            Expr::Map(parts, _) => {
                self.literal(|check| parts.0.iter().all(|(_, value)| check.expression(value)))
            }
            _ => false,
        }
    }

    /// `a.b[c].d()`: the parts on the right are nested.
    fn chain(&mut self, sides: &BinaryExpr) -> bool {
        // A chain has one place for what is wrong with a `call`.
        calls(&sides.rhs) <= 1
            && self
                .apart(root(&sides.lhs), |check| check.expression(&sides.lhs) && check.expression(&sides.rhs))
    }

    fn all(&mut self, expressions: &[Expr]) -> bool {
        expressions.iter().all(|expression| self.expression(expression))
    }

    fn literal(&mut self, check: impl FnOnce(&mut Self) -> bool) -> bool {
        self.literals += 1;
        let agrees = check(self);
        self.literals -= 1;
        agrees
    }

    fn call(&mut self, call: &FnCallExpr) -> bool {
        let first = call.args.first().and_then(root);
        // The walker reads a first argument such as `global::K` after the others.
        if let [Expr::Variable(parts, ..), _, ..] = call.args.as_slice()
            && call.op_token.is_none()
            && !parts.2.is_empty()
        {
            return false;
        }
        // What is no namespace is reported at another place.
        let namespace = &call.namespace;
        (namespace.is_empty() || NAMESPACES.contains(&namespace.root()))
            && !call.capture_parent_scope
            && !DOUBTFUL.contains(&call.name.as_str())
            && self.apart(first, |check| check.all(&call.args))
    }

    fn assignment(&mut self, place: &Expr, value: &Expr) -> bool {
        match place {
            // The place of the error for a constant.
            Expr::ThisPtr(_) => false,
            Expr::Variable(..) => self.apart(root(place), |check| check.expression(value)),
            Expr::Dot(sides, ..) | Expr::Index(sides, ..) => {
                let root = root(&sides.lhs);
                root.is_none_or(|root| !self.constants.contains(root))
                    && self.apart(root, |check| {
                        check.expression(&sides.lhs)
                            && check.expression(&sides.rhs)
                            && check.expression(value)
                    })
            }
            _ => false,
        }
    }

    /// Checks what belongs to the use of a variable: no closure in it may capture that variable. Which of the two then finds
    /// the other using it depends on the engine.
    fn apart(&mut self, variable: Option<&ImmutableString>, check: impl FnOnce(&mut Self) -> bool) -> bool {
        let before = self.captured.len();
        check(self) && variable.is_none_or(|variable| !self.captured[before..].contains(variable))
    }
}

/// How many of the parts of a chain are `call` with arguments.
fn calls(part: &Expr) -> usize {
    match part {
        Expr::Dot(sides, ..) | Expr::Index(sides, ..) => calls(&sides.lhs) + calls(&sides.rhs),
        Expr::MethodCall(call, _) => usize::from(call.name == "call" && !call.args.is_empty()),
        _ => 0,
    }
}

/// The name of the variable, if it is one.
fn root(expression: &Expr) -> Option<&ImmutableString> {
    match expression {
        Expr::Variable(parts, ..) => Some(&parts.1),
        _ => None,
    }
}

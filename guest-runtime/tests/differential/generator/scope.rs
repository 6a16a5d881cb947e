//! The variables that a statement can see.

use super::Kind;

#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub name: String,
    pub kind: Kind,
    pub constant: bool,
}

/// The variables in scope, innermost last.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    variables: Vec<Variable>,
}

impl Scope {
    pub fn declare(&mut self, name: &str, kind: Kind, constant: bool) {
        self.variables.push(Variable { name: name.into(), kind, constant });
    }

    /// Where the scope ends now, for [`Scope::rewind`].
    pub fn mark(&self) -> usize {
        self.variables.len()
    }

    pub fn rewind(&mut self, mark: usize) {
        self.variables.truncate(mark);
    }

    /// The names whose innermost variable is `wanted`.
    pub fn names(&self, wanted: impl Fn(&Variable) -> bool) -> Vec<String> {
        let mut seen = Vec::new();
        let mut names = Vec::new();
        for variable in self.variables.iter().rev() {
            if seen.contains(&&variable.name) {
                continue;
            }
            seen.push(&variable.name);
            if wanted(variable) {
                names.push(variable.name.clone());
            }
        }
        names
    }

    /// What the innermost variable of this name most likely is.
    pub fn kind(&self, name: &str) -> Kind {
        self.variables
            .iter()
            .rev()
            .find(|variable| variable.name == name)
            .map_or(Kind::Int, |found| found.kind)
    }
}

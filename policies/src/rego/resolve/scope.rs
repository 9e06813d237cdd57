//! Which variable a name is.
//!
//! `:=`, `some`, `every` and arguments declare a name in the body that they stand in; what no body
//! declares is one variable in all of the definition. A name must not be declared after it was
//! used in the same body.

use std::collections::HashMap;

use crate::rego::ast::Name;
use crate::rego::core::{Var, Variable};

/// How a name came into a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurrence {
    /// It is an argument.
    Argument,
    /// It is used, and no scope declares it.
    Seen,
    /// `:=`
    Assigned,
    /// `some`, `every`
    Declared,
}

#[derive(Clone, Debug)]
struct Local {
    var: Var,
    occurrence: Occurrence,
    count: u32,
}

/// The names of one body.
#[derive(Clone, Debug, Default)]
struct Scope {
    locals: HashMap<Name, Local>,
    /// In the order in which they came.
    order: Vec<Name>,
}

/// The bodies around a place, and all variables of a definition.
#[derive(Clone, Debug, Default)]
pub(super) struct Scopes {
    bodies: Vec<Scope>,
    free: HashMap<Name, Var>,
    variables: Vec<Variable>,
}

impl Scopes {
    pub(super) fn push(&mut self) {
        self.bodies.push(Scope::default());
    }

    /// Ends a comprehension. Gives the names that it assigned or declared and did not use.
    pub(super) fn pop(&mut self) -> Vec<(Name, Occurrence)> {
        let scope = self.bodies.pop().unwrap_or_default();
        unused(&scope)
    }

    /// Ends a body whose free names count as used in the body around it.
    pub(super) fn merge(&mut self) -> Vec<(Name, Occurrence)> {
        let scope = self.bodies.pop().unwrap_or_default();
        for name in &scope.order {
            if scope.locals[name].occurrence == Occurrence::Seen {
                self.find(name);
            }
        }
        unused(&scope)
    }

    /// The names of the innermost body that it assigned or declared and did not use.
    pub(super) fn unused(&self) -> Vec<(Name, Occurrence)> {
        self.bodies.last().map(unused).unwrap_or_default()
    }

    /// The variable that a name is, here.
    pub(super) fn find(&mut self, name: &Name) -> Var {
        for scope in self.bodies.iter_mut().rev() {
            if let Some(local) = scope.locals.get_mut(name) {
                local.count += 1;
                return local.var;
            }
        }
        let var = if let Some(&var) = self.free.get(name) {
            var
        } else {
            let var = self.make(name.clone());
            self.free.insert(name.clone(), var);
            var
        };
        self.insert(name, var, Occurrence::Seen);
        var
    }

    /// The variable that a body around declares under this name, if one does.
    pub(super) fn declared(&self, name: &str) -> Option<Var> {
        let local = self
            .bodies
            .iter()
            .rev()
            .find_map(|scope| scope.locals.get(name))?;
        (local.occurrence != Occurrence::Seen).then_some(local.var)
    }

    /// A new variable of that name in the innermost body, or why that cannot be.
    pub(super) fn declare(&mut self, name: &Name, occurrence: Occurrence) -> Result<Var, String> {
        let before = self
            .bodies
            .last()
            .and_then(|scope| scope.locals.get(name))
            .map(|local| local.occurrence);
        match before {
            Some(Occurrence::Seen) => Err(format!("var {name} referenced above")),
            Some(Occurrence::Assigned) => Err(format!("var {name} assigned above")),
            Some(Occurrence::Declared) => Err(format!("var {name} declared above")),
            Some(Occurrence::Argument) => Err(format!("arg {name} redeclared")),
            None => {
                let var = self.make(name.clone());
                self.insert(name, var, occurrence);
                Ok(var)
            }
        }
    }

    /// How often a name of the outermost body occurs.
    pub(super) fn count(&self, name: &str) -> u32 {
        let local = self.bodies.first().and_then(|scope| scope.locals.get(name));
        local.map_or(0, |local| local.count)
    }

    /// Whether a variable is written as `_`.
    pub(super) fn is_wildcard(&self, var: Var) -> bool {
        let variable = &self.variables[var.index()];
        !variable.is_generated() && !variable.is_named()
    }

    /// A variable that nobody wrote.
    pub(super) fn fresh(&mut self) -> Var {
        crate::rego::core::fresh(&mut self.variables)
    }

    /// All variables. Of those that nothing declares, some are builtin functions.
    pub(super) fn into_variables(mut self, is_builtin: impl Fn(&Name) -> bool) -> Vec<Variable> {
        for (name, var) in &self.free {
            self.variables[var.index()].builtin = is_builtin(name);
        }
        self.variables
    }

    /// A variable of this name that no other occurrence of the name is.
    pub(super) fn make(&mut self, name: Name) -> Var {
        let var = self.fresh();
        self.variables[var.index()].name = name;
        var
    }

    fn insert(&mut self, name: &Name, var: Var, occurrence: Occurrence) {
        let local = Local {
            var,
            occurrence,
            count: 1,
        };
        if let Some(scope) = self.bodies.last_mut() {
            scope.locals.insert(name.clone(), local);
            scope.order.push(name.clone());
        }
    }
}

fn unused(scope: &Scope) -> Vec<(Name, Occurrence)> {
    let local = |name: &Name| (name.clone(), scope.locals[name].occurrence);
    scope
        .order
        .iter()
        .filter(|name| {
            let local = &scope.locals[*name];
            local.count <= 1
                && matches!(
                    local.occurrence,
                    Occurrence::Assigned | Occurrence::Declared
                )
        })
        .map(local)
        .collect()
}

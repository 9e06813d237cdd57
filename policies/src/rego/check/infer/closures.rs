//! Comprehensions: their types, and what is wrong in their bodies.

use super::{Checker, Environment};
use crate::rego::check::types::{Parts, Type};
use crate::rego::core::{Body, Comprehension, Expr, ExprKind, Head};
use crate::rego::order::vars;

impl Checker<'_> {
    /// Checks the bodies of the comprehensions in a condition: those in bodies within it too, and
    /// those in comprehensions, which see nothing of the variables of the one that they are in.
    pub(super) fn closures(&mut self, environment: &mut Environment<'_>, expr: &Expr) -> bool {
        let mut fine = true;
        for term in vars::terms_of(expr) {
            let mut found = Vec::new();
            vars::comprehensions(term, &mut |one| found.push(one));
            for comprehension in found {
                fine &= self.closure(environment, comprehension);
            }
        }
        let bodies = match &expr.kind {
            ExprKind::Every(every) => vec![&every.body],
            ExprKind::Not(operand) => vec![&operand.body],
            ExprKind::And(left, right) | ExprKind::Or(left, right) => vec![&left.body, &right.body],
            ExprKind::Term(_) | ExprKind::Unify { .. } | ExprKind::Call(_) => Vec::new(),
        };
        for body in bodies {
            fine &= self.closures_in(environment, body);
        }
        fine
    }

    fn closures_in(&mut self, environment: &mut Environment<'_>, body: &Body) -> bool {
        let mut fine = true;
        for expr in body {
            fine &= self.closures(environment, expr);
        }
        fine
    }

    fn closure(
        &mut self,
        environment: &mut Environment<'_>,
        comprehension: &Comprehension,
    ) -> bool {
        let mark = environment.undo.len();
        let fine = self.body(environment, &comprehension.body);
        let kind = match &comprehension.head {
            _ if !fine => Type::Unknown,
            Head::Array(term) => match self.type_of(environment, term) {
                Type::Unknown => Type::Array(Parts::NONE, None),
                kind => Type::array(kind),
            },
            Head::Set(term) => Type::set(self.type_of(environment, term)),
            Head::Object(key, value) => Type::object(
                self.type_of(environment, key),
                self.type_of(environment, value),
            ),
        };
        environment.back_to(mark);
        self.comprehensions
            .insert(std::ptr::from_ref(comprehension), kind.bounded());
        fine && self.closures_in(environment, &comprehension.body)
    }
}

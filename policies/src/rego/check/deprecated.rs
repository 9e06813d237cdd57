//! Functions that OPA 1 refuses: in Rego v1 and in strict mode.

use super::signatures;
use crate::rego::ast::Version;
use crate::rego::core::{self, Callee, Expr, ExprKind, Program};
use crate::rego::findings::{Findings, Stage};

/// Reports calls of deprecated functions.
pub fn check(program: &Program, strict: bool, findings: &mut Findings) {
    let mut call = |expr: &Expr| {
        if let ExprKind::Call(call) = &expr.kind
            && let Callee::Builtin(name) = call.callee
            && signatures::find(name).is_some_and(|signature| signature.deprecated)
        {
            let message = format!("deprecated built-in function calls in expression: {name}");
            findings.kind(Stage::Deprecated, expr.span, message);
        }
    };
    for definition in &program.definitions {
        if strict || program.modules[definition.module].version >= Version::V1 {
            for branch in std::iter::once(definition).chain(&definition.otherwise) {
                core::walk_body(&branch.body, &mut call);
            }
        }
    }
}

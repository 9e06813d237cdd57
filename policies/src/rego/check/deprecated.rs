//! Functions that OPA 1 refuses: in Rego v1 and in strict mode.

use super::signatures;
use crate::rego::ast::Version;
use crate::rego::core::{self, Call, Callee, Expr, ExprKind, Program};
use crate::rego::findings::{Findings, Stage};

/// The deprecated function that is called, if one is.
pub fn called(call: &Call) -> Option<&'static str> {
    let Callee::Builtin(name) = call.callee else {
        return None;
    };
    let signature = signatures::find(name)?;
    signature.deprecated.then_some(signature.name)
}

/// Reports calls of deprecated functions.
pub fn check(program: &Program, strict: bool, findings: &mut Findings) {
    let mut call = |expr: &Expr| {
        if let ExprKind::Call(call) = &expr.kind
            && let Some(name) = called(call)
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

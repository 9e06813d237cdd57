//! The compiler: syntax trees to a plan.
//!
//! ```text
//! resolve ─ check ─ order ─ lower
//! ```

use regorus::Value;

use super::ast::Module;
use super::builtins::Withheld;
use super::check::{conflicts, deprecated, imports, infer, recursion, templates};
use super::findings::Findings;
use super::plan::ir::Plan;
use super::resolve::{self, Question};
use super::source::Fault;
use super::{order, plan::lower};

/// How a policy is compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Whether imports and variables that nobody uses are faults.
    pub strict: bool,
    /// Whether `print` prints. Otherwise it is left out, arguments and all.
    pub print: bool,
    /// Base data that is known: no rule may be where it has a value.
    pub data: Option<&'a Value>,
    /// What functions would need, and why the policy has it not.
    pub withheld: Withheld,
}

impl Options<'_> {
    fn mode(self) -> resolve::Mode {
        resolve::Mode {
            strict: self.strict,
            print: self.print,
        }
    }
}

/// Compiles modules and the questions that will be asked of them. The faults are never empty and
/// in the order of the source.
pub fn compile(
    modules: &[Module],
    questions: &[Question],
    options: Options<'_>,
) -> Result<Plan, Vec<Fault>> {
    let mut findings = Findings::default();
    for module in modules {
        imports::check(module, options.strict, &mut findings);
    }
    let mut program = resolve::resolve(modules, questions, options.mode(), &mut findings);
    templates::check(&program, &mut findings);
    conflicts::check(&program, options.data, &mut findings);
    if findings.stop() {
        return Err(findings.into_faults());
    }
    for definition in &mut program.definitions {
        order::definition(definition, &mut findings);
    }
    for query in &mut program.queries {
        let bound = order::vars::VarSet::default();
        order::body(&mut query.body, bound, &query.variables, &mut findings);
    }
    if findings.stop() {
        return Err(findings.into_faults());
    }
    let order = recursion::check(&program, &mut findings);
    if findings.stop() {
        return Err(findings.into_faults());
    }
    // As in OPA: where none is called but within `not`, `and` and `or`, none is looked for.
    if infer::check(&program, &order, &mut findings) {
        deprecated::check(&program, options.strict, &mut findings);
    }
    if !findings.is_empty() {
        return Err(findings.into_faults());
    }
    let plan = lower::lower(&program, options.withheld, &mut findings);
    if findings.is_empty() {
        Ok(plan)
    } else {
        Err(findings.into_faults())
    }
}

#[cfg(test)]
mod tests;

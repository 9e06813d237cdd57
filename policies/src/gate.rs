//! The conditions of a match, asked within a budget, and who keeps them from being asked in vain.

use std::time::Duration;

use crate::{
    Code, Condition, Diagnostics, Input, Limits, Request,
    breaker::{Breaker, Used},
    matching::{Conditions, Verdict},
    rego::{plan::access::Access, value::Value},
};

/// What stands between a request that rules and selectors select, and the policy that judges it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    conditions: Conditions,
    breaker: Breaker,
}

/// What the conditions made of a request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) verdict: Verdict,
    /// What is left of the request's time.
    pub(crate) left: Duration,
}

impl Gate {
    /// Compiles conditions. Takes time in proportion to their length; call it away from threads
    /// that answer requests.
    pub(crate) fn compile(conditions: &[Condition]) -> Result<Self, Diagnostics> {
        Ok(Self {
            conditions: Conditions::compile(conditions)?,
            breaker: Breaker::default(),
        })
    }

    /// What the conditions look at of an `AdmissionRequest`.
    pub(crate) fn access(&self) -> &Access {
        self.conditions.access()
    }

    /// What the conditions use up again and again, so that they are not asked for a while.
    pub(crate) fn exhausts(&self) -> Option<Code> {
        self.breaker.exhausts()
    }

    /// Asks whether a request concerns the policy, within its `limits`.
    pub(crate) fn ask(
        &self,
        input: &Input,
        parameters: &Value,
        request: &Request,
        limits: Limits,
    ) -> Asked {
        let judged = |verdict, left| Asked { verdict, left };
        let Input::Admission(document) = input else {
            return judged(Verdict::Judged, request.budget);
        };
        if self.conditions.is_empty() {
            return judged(Verdict::Judged, request.budget);
        }
        if let Err(rest) = self.breaker.may_run(request.now) {
            return judged(Verdict::Failed(Box::new(rest.message())), request.budget);
        }
        let own = limits.timeout;
        let limits = Limits {
            timeout: own.min(request.budget),
            ..limits
        };
        let (verdict, used) = self
            .conditions
            .judge(document.value(), parameters, request, limits);
        match verdict.code() {
            // It was not the policy's own limit.
            Some(Code::Timeout) if limits.timeout < own => {}
            Some(Code::Timeout) => self.breaker.exhausted(request.now, limits, Used::Time),
            Some(Code::MemoryExceeded) => self.breaker.exhausted(request.now, limits, Used::Memory),
            _ => self.breaker.ended(),
        }
        judged(verdict, request.budget.saturating_sub(used))
    }
}

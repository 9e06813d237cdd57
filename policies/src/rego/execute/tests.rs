//! What each node of a plan does, in hand-built plans. The expected results are OPA's.

mod budget;
mod builder;
mod documents;
mod functions;
mod rules;
mod steps;
mod terms;
mod with;

//! What each node of a plan does, in hand-built plans. The expected results are those of OPA's source;
//! numbers, JSON, `sprintf` and sorting were compared with `opa eval`.

mod budget;
mod builder;
mod documents;
mod functions;
mod rules;
mod steps;
mod terms;
mod with;

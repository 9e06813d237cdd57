//! OPA's clients: what they are answered is what OPA's own server answers, and real ones work.

mod clients;
mod comparison;
mod exchange;
mod table;
mod theirs;

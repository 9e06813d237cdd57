//! Portcullis on a real cluster, from the outside: one module for each promise. They run one after
//! another, in any order.

mod actions;
mod admission;
mod asking;
mod audit;
mod authentication;
mod bindings;
mod bypass;
mod chart;
mod crds;
mod data;
mod doors;
mod exchange;
mod exemptions;
mod faults;
mod golden;
mod guardrails;
mod imports;
mod limits;
mod locks;
mod matching;
mod namespaces;
mod perimeter;
mod readme;
mod results;
mod rollout;
mod tenants;
mod uninstall;
mod validation;
mod versions;
mod way_out;
mod why;
mod workloads;

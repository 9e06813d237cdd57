//! `/v1/policies/…`: a module by its id, and why none is written here.

use axum::{
    extract::State,
    http::{Method, Uri},
    response::Response,
};
use portcullis_policies::Address;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::json,
    fault::{ErrorDocument, Fault},
    options::Options,
    path,
};
use crate::{Doors, parameters::Parameters};

/// What every path begins with.
const PREFIX: &str = "/v1/policies/";

/// An answer in OPA's shape.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModuleAnswer {
    result: Module,
}

/// A module of a policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpaModule)]
pub(super) struct Module {
    /// The policy's address and the file's name.
    #[schema(example = "platform/required_labels@1.0/policy.rego")]
    id: String,
    /// Its source.
    raw: String,
}

/// The id of a policy's module: `platform/required_labels@1.0/policy.rego`, with the namespace in
/// front, if one owns the policy.
pub(crate) fn module_id(address: &Address, file: &str) -> String {
    let owner = address.namespace().map(|namespace| format!("{namespace}/"));
    let owner = owner.unwrap_or_default();
    format!("{owner}{}/{file}", address.path())
}

/// Gives the source of a module, as OPA does
#[utoipa::path(
    get,
    path = "/v1/policies/{*module}",
    operation_id = "module",
    tag = "opa",
    params(("pretty" = Option<String>, Query, description = "Alone or `true`: over several lines")),
    responses(
        (status = 200, description = "The module", body = ModuleAnswer),
        (status = 404, description = "`resource_not_found`", body = ErrorDocument),
    )
)]
pub(super) async fn get(State(doors): State<Doors>, uri: Uri) -> Result<Response, Fault> {
    let options = Options::of(&Parameters::of(&uri)?);
    let snapshot = doors.snapshot()?;
    let encoded = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let id = path::decode(encoded).ok_or_else(|| Fault::path("it is not UTF-8"))?;
    let found = snapshot.entries().find_map(|entry| {
        let modules = entry.policy.definition().modules.iter();
        let mut modules = modules.map(|(file, raw)| (module_id(entry.address(), file), raw));
        modules.find(|(own, _)| *own == id)
    });
    let Some((id, raw)) = found else {
        return Err(Fault::no_module(&id));
    };
    let result = Module {
        id,
        raw: raw.clone(),
    };
    Ok(json(&ModuleAnswer { result }, options))
}

/// Why OPA's writing methods are not there, and what to do instead.
pub(crate) fn refuse_write(method: &Method, path: &str) -> Option<(&'static str, &'static str)> {
    let is_write = [Method::PUT, Method::PATCH, Method::DELETE].contains(method);
    let is_below = |prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if is_write && is_below("/v1/policies") {
        return Some((
            "policies come from resources and directories, and are not written here",
            "apply a ClusterPolicy or a Policy, or change the directory that is served",
        ));
    }
    if is_write && is_below("/v1/data") {
        return Some((
            "data belongs to policies, and is not written here",
            "give it to the policy as its `data`, or ask with it as `input`",
        ));
    }
    None
}

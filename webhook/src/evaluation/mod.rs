//! The evaluation API: policies by their address, for whoever asks.

pub(crate) mod ask;
mod decision;
mod enforcement;
pub(crate) mod evaluate;
mod identifier;
mod kept;
mod list;
mod lock;
pub(crate) mod place;
mod probes;
mod shadows;
pub(crate) mod site;
mod validate;
mod why;

use axum::{Router, body::Bytes, http::header::CONTENT_TYPE, routing::get};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{Doors, archive, opa, openapi, routes, subscriptions};

/// The evaluation API with its documents: `/policy/…`, `/namespaces/…`, `/v1/…`, `/health`,
/// `/liveness`, `/readiness`, `/openapi.json`, also below `/swagger-ui/`, and `/swagger-ui/` itself.
pub fn evaluation_router(doors: Doors) -> Router {
    let (api, document) = documented().split_for_parts();
    let swagger = SwaggerUi::new("/swagger-ui").config(shown());
    let document: Bytes = openapi::print(document).into();
    let json = [(CONTENT_TYPE, "application/json")];
    let described = get(move || async move { (json, document) });
    let router = api
        .route("/openapi.json", described.clone())
        // As the TSA policy service has it.
        .route("/swagger-ui/openapi.json", described)
        .merge(swagger);
    let router = routes::with_problems(router);
    opa::compressing(router, &doors).with_state(doors)
}

/// How the page shows the description.
fn shown() -> Config<'static> {
    Config::new(["/openapi.json"])
        .try_it_out_enabled(true)
        .display_request_duration(true)
        .deep_linking(true)
}

/// The routes with their documentation.
pub(crate) fn documented() -> OpenApiRouter<Doors> {
    let by_address = || {
        OpenApiRouter::new()
            .routes(routes!(evaluate::evaluate))
            .routes(routes!(evaluate::evaluate_did))
            .routes(routes!(validate::validate))
            .routes(routes!(validate::validate_did))
            .routes(routes!(decision::decide))
            .routes(routes!(lock::lock, lock::unlock))
            .merge(archive::by_address())
            .merge(subscriptions::by_address())
    };
    OpenApiRouter::with_openapi(openapi::head())
        .nest("/policy/{group}/{name}/{version}", by_address())
        .nest(
            "/policy/{repository}/{group}/{name}/{version}",
            by_address(),
        )
        .nest(
            "/namespaces/{namespace}/policy/{group}/{name}/{version}",
            by_address(),
        )
        .routes(routes!(kept::result))
        .merge(archive::routes())
        .routes(routes!(list::list))
        // As clients of OPA ask for it.
        .route("/v1/policies/", get(list::list))
        .routes(routes!(enforcement::enforcement))
        .routes(routes!(shadows::shadows))
        .routes(routes!(why::why))
        .routes(routes!(probes::liveness))
        .routes(routes!(probes::readiness))
        .merge(opa::documented())
}

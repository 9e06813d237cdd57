//! What follows from a path alone: its parameters, an operation's name, and the problem that any request
//! can be answered with.
//!
//! The router's `{*path}` is none of OpenAPI's, where a parameter has no slash: such a path is written
//! out, each length that means something as a path of its own.

use utoipa::openapi::{
    ContentBuilder, Paths, Ref, RefOr, Required, ResponseBuilder, Schema,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
    schema::{ObjectBuilder, SchemaType, Type},
};

/// Paths with a rest, and what they are written out to: the path, and what the names of its operations
/// begin with.
const WRITTEN_OUT: [(&str, &[(&str, &str)]); 4] = [
    (
        "/v1/data/{*path}",
        &[
            ("/v1/data/{group}", "group_"),
            ("/v1/data/{group}/{name}", ""),
            ("/v1/data/{group}/{name}/{key}", "key_"),
        ],
    ),
    (
        "/v0/data/{*path}",
        &[
            ("/v0/data/{group}", "group_"),
            ("/v0/data/{group}/{name}", ""),
            ("/v0/data/{group}/{name}/{key}", "key_"),
        ],
    ),
    (
        "/v1/policies/{*module}",
        &[
            ("/v1/policies/{group}/{name}@{version}/{file}", ""),
            (
                "/v1/policies/{namespace}/{group}/{name}@{version}/{file}",
                "namespaced_",
            ),
        ],
    ),
    ("/health/{*rule}", &[("/health/{rule}", "")]),
];

/// Paths that have the same routes as others: what the names of their operations begin with, and the tag
/// that keeps them together.
const PREFIXES: [(&str, &str, &str); 2] = [
    (
        "/namespaces/{namespace}/policy/",
        "namespaced_",
        "namespaces",
    ),
    ("/policy/{repository}/", "repository_", "repositories"),
];

/// What OPA takes for a part of a document's path.
const KEY: &str = "^[^\"]+$";

/// Completes all paths.
pub(super) fn complete(paths: &mut Paths) {
    for (path, item) in std::mem::take(&mut paths.paths) {
        let written = WRITTEN_OUT.iter().find(|(with_rest, _)| *with_rest == path);
        if let Some((_, written)) = written {
            for (path, prefix) in *written {
                let item = completed(path, prefix, item.clone());
                paths.paths.insert((*path).to_owned(), item);
            }
        } else {
            let of_others = PREFIXES.iter().find(|(start, ..)| path.starts_with(start));
            let prefix = of_others.map_or("", |(_, prefix, _)| prefix);
            let mut item = completed(&path, prefix, item);
            if let Some((.., tag)) = of_others {
                for (_, operation) in operations(&mut item) {
                    operation.tags = Some(vec![(*tag).to_owned()]);
                }
            }
            paths.paths.insert(path, item);
        }
    }
}

fn completed(path: &str, prefix: &str, mut item: PathItem) -> PathItem {
    for (method, operation) in operations(&mut item) {
        let name = operation.operation_id.take().unwrap_or_default();
        operation.operation_id = Some(format!("{prefix}{method}_{name}"));
        complete_parameters(path, operation);
        complete_body(operation);
        add_problem(operation);
    }
    item
}

/// What is written out here and not elsewhere, as all of ours is.
pub(super) fn here<T>(part: &mut RefOr<T>) -> Option<&mut T> {
    match part {
        RefOr::T(part) => Some(part),
        RefOr::Ref(_) => None,
    }
}

/// The operations of a path, each with its method.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&str, &mut Operation)> {
    let PathItem {
        get, post, delete, ..
    } = item;
    let all = [("get", get), ("post", post), ("delete", delete)];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete_parameters(path: &str, operation: &mut Operation) {
    let names = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let names = names.map(|name| RefOr::T(in_path(name, path.contains("/data/"))));
    let mut parameters: Vec<_> = names.collect();
    let names_policy = path.contains("{name}");
    for mut parameter in operation.parameters.take().unwrap_or_default() {
        let Some(own) = here(&mut parameter) else {
            continue;
        };
        // It is the version of one policy.
        if own.name == "version" && !names_policy {
            continue;
        }
        own.schema.iter_mut().for_each(never_null);
        parameters.push(parameter);
    }
    operation.parameters = (!parameters.is_empty()).then_some(parameters);
}

/// A body that may be missing is of the type that it has where it is there.
fn complete_body(operation: &mut Operation) {
    let body = operation.request_body.as_mut().and_then(here);
    let contents = body.map(|body| body.content.values_mut());
    for content in contents.into_iter().flatten().filter_map(here) {
        content.schema.iter_mut().for_each(never_null);
    }
}

/// What is not said, in a header, a query or a body, is not there; it is never `null`.
fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|one| *one != Type::Null);
                if let [only] = &types[..] {
                    object.schema_type = SchemaType::Type(only.clone());
                }
            }
        }
        RefOr::T(Schema::OneOf(one_of)) => {
            one_of.items.retain(|one| !is_null(one));
            if let [only] = &one_of.items[..] {
                *schema = only.clone();
            }
        }
        _ => {}
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn in_path(name: &str, of_document: bool) -> Parameter {
    let described = describe(name);
    let (description, mut pattern, mut longest) =
        described.expect("a parameter of a path must be described");
    if of_document {
        // As of OPA, what is not there has no document, and is no fault of the request.
        (pattern, longest) = (Some(KEY), None);
    }
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(pattern)
        .max_length(longest);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .example((name == "repository").then(|| "policies".into()))
        .schema(Some(schema.build()))
        .build()
}

/// A parameter's description, the pattern of its values, and their greatest length.
fn describe(parameter: &str) -> Option<(&'static str, Option<&'static str>, Option<usize>)> {
    let (name, version) = ("^[a-z][a-z0-9_]*$", r"^[0-9]+(\.[0-9]+)*$");
    Some(match parameter {
        "repository" => (
            "The repository's name; `policies` unless it is set otherwise",
            None,
            None,
        ),
        "namespace" => ("The namespace that owns the policy", None, None),
        "group" => (
            "The first part of the policy's address",
            Some(name),
            Some(63),
        ),
        "name" => (
            "The second part of the policy's address",
            Some(name),
            Some(63),
        ),
        "version" => (
            "The third part of the policy's address",
            Some(version),
            Some(63),
        ),
        "id" => (
            "The id at the end of a refusal, in the `ETag`, in logs and audit annotations",
            Some("^[!-~]+$"),
            Some(256),
        ),
        "file" => ("The file's name", None, None),
        "rule" => ("The rule's name", Some(KEY), None),
        "key" => (
            "A key of the policy's document; with further ones behind it, and slashes between them, \
             what is below it",
            Some(KEY),
            None,
        ),
        _ => return None,
    })
}

fn add_problem(operation: &mut Operation) {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description("Any other fault: a request that cannot be read, an unknown address")
        .content("application/problem+json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), response.into());
}

//! Queries and tests, compared with what OPA says.

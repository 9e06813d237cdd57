//! The doors, asked as their callers ask them: `Router::oneshot`, and TLS on loopback.

mod admin;
mod admission;
mod agreement;
mod data;
mod evaluation;
mod fixture;
mod listing;
mod locks;
mod overload;
mod resources;
mod server;

//! The `portcullis` binary.

use std::process::ExitCode;

/// A third less processor time for a request than with glibc's, whose heap is consolidated for the
/// large blocks that every request takes and gives back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis_operator::cli::run()
}

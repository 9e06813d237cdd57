//! Modules and queries of both versions are read or refused. Line ends of Windows and a byte-order
//! mark make no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_policies::rego::ast::{Module, Version};
use portcullis_policies::rego::parse::{Options, parse_module, parse_query};
use portcullis_policies::rego::source::{Fault, Sources};

fn read(source: &str, options: Options) -> Result<Module, Vec<Fault>> {
    let mut sources = Sources::default();
    let file = sources.add("fuzz.rego", source);
    let module = parse_module(file, source, options);
    if let Err(faults) = &module {
        portcullis_fuzz::faults::check_faults(&sources, faults);
    }
    module
}

/// What two readings of the same module have in common, whatever the places are.
fn shape(module: &Module) -> (usize, usize, Vec<usize>) {
    let bodies = module.rules.iter().map(|rule| rule.body.len()).collect();
    (module.imports.len(), module.annotations.len(), bodies)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((flags, source)) = bytes.split_first() else {
        return;
    };
    let Ok(source) = std::str::from_utf8(source) else {
        return;
    };
    let version = if flags & 1 == 0 {
        Version::V1
    } else {
        Version::V0
    };
    let options = Options {
        version,
        annotations: flags & 2 == 0,
    };
    if flags & 4 != 0 {
        let mut sources = Sources::default();
        let file = sources.add("fuzz.rego", source);
        if let Err(faults) = parse_query(file, source, version) {
            portcullis_fuzz::faults::check_faults(&sources, &faults);
        }
        return;
    }
    let module = read(source, options);
    let marked = read(&format!("\u{feff}{source}"), options);
    // A comment behind a byte-order mark does not begin its line, and so is no annotation.
    if !source.starts_with(['\u{feff}', '#']) {
        assert_eq!(module.is_ok(), marked.is_ok(), "with a byte-order mark");
    }
    // Within back quotes, a line end is part of a text.
    if !source.contains(['`', '\r']) {
        let windows = read(&source.replace('\n', "\r\n"), options);
        let shapes = (
            module.as_ref().map(shape).ok(),
            windows.as_ref().map(shape).ok(),
        );
        assert_eq!(shapes.0, shapes.1, "with line ends of Windows");
    }
});

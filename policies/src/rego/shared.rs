//! The shared library, `data.lib`: Rego that every policy may use without importing it.
//!
//! A package of it is compiled into the policies that name it, and is part of their digest.

use std::collections::{BTreeMap, BTreeSet};

/// A package of the library.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shared {
    /// What follows `data.lib.`.
    pub(crate) name: &'static str,
    /// Its file, as faults show it.
    pub(crate) file: &'static str,
    /// Its source.
    pub(crate) source: &'static str,
}

/// The package that those of the library are in.
pub(crate) const ROOT: &str = "lib";

macro_rules! library {
    ($($name:literal)*) => {
        &[$(Shared {
            name: $name,
            file: concat!("lib/", $name, ".rego"),
            source: include_str!(concat!("../../lib/", $name, ".rego")),
        }),*]
    };
}

/// All packages, by name.
static LIBRARY: &[Shared] = library![
    "capability" "expiry" "field" "image" "network" "pattern" "pod" "quantity" "review"
    "selector"
];

/// The packages that sources name, and those that these name, by name. A source names `lib.image`
/// where the words `lib` and `image` are in it: that is some package too many now and then, and
/// never one too few.
pub(crate) fn named_in<'a>(sources: impl IntoIterator<Item = &'a str>) -> Vec<&'static Shared> {
    let mut open: Vec<&str> = sources.into_iter().collect();
    let mut named = BTreeSet::new();
    while let Some(source) = open.pop() {
        if !words(source).any(|word| word == ROOT) {
            continue;
        }
        let words: BTreeSet<&str> = words(source).collect();
        for shared in LIBRARY {
            if words.contains(shared.name) && named.insert(shared) {
                open.push(shared.source);
            }
        }
    }
    named.into_iter().collect()
}

/// As [`named_in`], of modules by file.
pub(crate) fn named_in_modules<'a>(
    modules: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
) -> Vec<&'static Shared> {
    let modules = modules.into_iter().flat_map(BTreeMap::values);
    named_in(modules.map(String::as_str))
}

fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing("package a.b\nallow := true", &[])]
    #[case::import("import data.lib.expiry", &["expiry"])]
    #[case::reference("data.lib.expiry.is_expired(x)", &["expiry"])]
    #[case::text("data[\"lib\"][\"expiry\"]", &["expiry"])]
    #[case::alias("import data.lib as l\nl.expiry.is_expired(x)", &["expiry"])]
    #[case::part_of_a_word("data.libs.expiry_of", &[])]
    #[case::another_library("data.lib.mine", &[])]
    #[case::no_library("data.expiry", &[])]
    fn a_source_names_packages(#[case] source: &str, #[case] expected: &[&str]) {
        let names: Vec<&str> = named_in([source])
            .iter()
            .map(|shared| shared.name)
            .collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn every_file_of_the_library_is_a_package_of_it() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/lib");
        let files = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".rego").map(str::to_owned))
            .filter(|name| !name.ends_with("_test"))
            .collect();
        names.sort();
        let known: Vec<&str> = LIBRARY.iter().map(|shared| shared.name).collect();
        assert_eq!(names, known);
        for shared in LIBRARY {
            let package = format!("package {ROOT}.{}", shared.name);
            assert!(
                shared.source.lines().any(|line| line == package),
                "{}",
                shared.file
            );
        }
    }
}

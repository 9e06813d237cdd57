//! OPA's answers for many operands, kept in files: a line is a function, its operands in JSON, and
//! the result in Rego or the kind of the fault, with tabs between.

use rstest::rstest;

use crate::rego::builtins::tests::applied;

#[rstest]
#[case(include_str!("vectors/cidr.txt"))]
#[case(include_str!("vectors/collections.txt"))]
#[case(include_str!("vectors/formats.txt"))]
#[case(include_str!("vectors/globs.txt"))]
#[case(include_str!("vectors/json_patch.txt"))]
#[case(include_str!("vectors/render.txt"))]
#[case(include_str!("vectors/schema.txt"))]
#[case(include_str!("vectors/semver.txt"))]
#[case(include_str!("vectors/time.txt"))]
#[case(include_str!("vectors/uri.txt"))]
#[case(include_str!("vectors/yaml.txt"))]
fn answers_as_opa_does(#[case] vectors: &str) {
    let lines = vectors.lines().filter(|line| !line.starts_with('#'));
    let wrong: Vec<String> = lines
        .filter_map(|line| {
            let mut parts = line.split('\t');
            let mut part = || parts.next().expect("three parts");
            let (function, operands, expected) = (part(), part(), part());
            let found = applied(function, operands);
            (found != expected).then(|| format!("{function}({operands}): {found}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! Whether a policy and its imports have no more to compile than an administrator allows.

use serde_json::{Map, Value as Json};

use super::ast::Module;
use crate::{Diagnostic, Extent};

/// Parts that there may be for each rule in the names of all of them, as they stand below `data`, those
/// of the places above them counted too: each place knows its path. Rules of four parts in a package of
/// four have 26.
const PARTS_OF_A_RULE: usize = 50;

/// Bytes of texts and keys in `data` for which there may be a value, which takes some hundred bytes
/// while it is read.
const TEXT_OF_A_VALUE: usize = 32;

/// What is wrong with this much source.
pub(super) fn of_source<'t>(
    modules: impl Iterator<Item = &'t str>,
    most: Extent,
) -> Option<Diagnostic> {
    let (bytes, most) = (modules.map(str::len).sum::<usize>(), most.source);
    (bytes > most).then(|| {
        let text = format!(
            "the modules have {bytes} bytes, those of imports included; at most {most} are \
             compiled together"
        );
        Diagnostic::new("source_limit", text)
            .with_remedy("split the policy into several, or move tables into `data`")
    })
}

/// What is wrong with so many rules.
pub(super) fn of_rules(modules: &[Module], most: Extent) -> Option<Diagnostic> {
    let rules: usize = modules.iter().map(|module| module.rules.len()).sum();
    let (most, parts_at_most) = (most.rules, most.rules * PARTS_OF_A_RULE);
    let fault = if rules > most {
        format!("there are {rules} rules and functions; at most {most} are compiled together")
    } else if modules.iter().map(parts).sum::<usize>() > parts_at_most {
        format!(
            "the names of packages and rules have more than {parts_at_most} parts in all, with those \
             of the places above them"
        )
    } else {
        return None;
    };
    Some(
        Diagnostic::new("rule_limit", fault)
            .with_remedy("split the policy into several, or move tables into `data`"),
    )
}

/// Parts of the paths of all places that a module's rules make.
fn parts(module: &Module) -> usize {
    let package = module.package.path.len();
    let parts = module.rules.iter().map(|rule| {
        let head = rule.head.reference.len();
        head * package + head * (head + 1) / 2
    });
    package * package + parts.sum::<usize>()
}

/// What is wrong with these data.
pub(super) fn of_data(data: &Map<String, Json>, most: Extent) -> Option<Diagnostic> {
    let (most, values_at_most) = (most.data, most.data / TEXT_OF_A_VALUE);
    let (mut values, mut bytes) = (0, 0);
    let mut open: Vec<&Json> = data.values().collect();
    bytes += data.keys().map(String::len).sum::<usize>();
    while let Some(value) = open.pop() {
        values += 1;
        match value {
            Json::String(text) => bytes += text.len(),
            Json::Array(elements) => open.extend(elements),
            Json::Object(members) => {
                bytes += members.keys().map(String::len).sum::<usize>();
                open.extend(members.values());
            }
            _ => {}
        }
    }
    let fault = if values > values_at_most {
        format!(
            "`data` has {values} values, those of imports included; at most \
             {values_at_most} are kept"
        )
    } else if bytes > most {
        format!(
            "`data` has {bytes} bytes of texts and keys, those of imports included; at most \
             {most} are kept"
        )
    } else {
        return None;
    };
    Some(
        Diagnostic::new("data_limit", fault)
            .with_remedy("keep what the policy looks at, or split the policy into several"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;
    use serde_json::{Value as Json, json};

    use super::TEXT_OF_A_VALUE;
    use crate::{
        Address, Allowance, Among, Definition, Diagnostics, Extent, Import, Policy, rego::Program,
    };

    const MAX_RULES: usize = Extent::MAX.rules;
    const MAX_TEXT: usize = Extent::MAX.data;
    const MAX_VALUES: usize = MAX_TEXT / TEXT_OF_A_VALUE;

    fn definition(modules: &[&str]) -> Definition {
        let mut definition = Definition::new("a/b@1".parse().unwrap(), modules[0]);
        for (at, module) in modules.iter().enumerate().skip(1) {
            definition
                .modules
                .insert(format!("{at}.rego"), (*module).to_owned());
        }
        definition
    }

    /// The codes of what is wrong.
    fn faults(definition: &Definition) -> Vec<String> {
        codes(&Program::compile(definition, &[], Extent::MAX).map(drop))
    }

    fn codes(compiled: &Result<(), Diagnostics>) -> Vec<String> {
        let faults = compiled
            .as_ref()
            .err()
            .into_iter()
            .flat_map(Diagnostics::iter);
        faults.map(|fault| fault.code.clone()).collect()
    }

    fn commented(bytes: usize) -> String {
        format!("package a.b\n#{}\n", "x".repeat(bytes - 14))
    }

    fn rules(count: usize, head: &str) -> String {
        let rules = (0..count).map(|at| format!("p{at}{head}:=1\n"));
        format!("package a.b\n{}", rules.collect::<String>())
    }

    #[rstest]
    #[case(1 << 20, "")]
    #[case((1 << 20) - 100, "")]
    #[case(1 << 20, "source_limit")]
    fn all_modules_together_have_a_bound(#[case] bytes: usize, #[case] expected: &str) {
        let module = commented(bytes);
        let mut modules = vec![&*module, &*module];
        if !expected.is_empty() {
            modules.push("package a.b\n");
        }
        assert_eq!(faults(&definition(&modules)).concat(), expected);
    }

    #[rstest]
    #[case(MAX_RULES, "", "")]
    #[case(MAX_RULES + 1, "", "rule_limit")]
    #[case(19_000, ".a.b.c", "")]
    #[case(5_000, &".a".repeat(50), "rule_limit")]
    fn rules_have_a_bound(#[case] count: usize, #[case] head: &str, #[case] expected: &str) {
        assert_eq!(
            faults(&definition(&[&rules(count, head)])).concat(),
            expected
        );
    }

    #[rstest]
    #[case(json!(vec![0; MAX_VALUES - 1]), "")]
    #[case(json!(vec![0; MAX_VALUES]), "data_limit")]
    #[case(json!([{"key": "x".repeat(MAX_TEXT - 4)}]), "")]
    #[case(json!([{"key": "x".repeat(MAX_TEXT - 3)}]), "data_limit")]
    fn data_have_a_bound(#[case] data: Json, #[case] expected: &str) {
        let mut definition = definition(&["package a.b\nx := data.d"]);
        definition.data.insert("d".to_owned(), data);
        assert_eq!(faults(&definition).concat(), expected);
    }

    #[test]
    fn imports_count() {
        let address: Address = "a/imported@1".parse().unwrap();
        let half = format!("package a.imported\n#{}\n", "x".repeat((1 << 20) - 40));
        let mut imported = Definition::new(address.clone(), &half);
        imported.modules.insert("more.rego".to_owned(), half);
        let imported = Arc::new(Policy::compile(imported));
        assert!(imported.faults().is_none());
        let mut importer = definition(&["package a.b\nx := 1", &commented(1_000)]);
        importer.imports.push(Import { address, pin: None });
        let policy = Policy::compile_within(
            importer,
            &Among {
                policies: |_: &Address| Some(imported.clone()),
                objects: &(),
            },
            Allowance::default(),
        );
        let faults = policy.faults().expect("too much");
        assert!(faults.to_string().contains("source_limit"), "{faults}");
    }

    #[rstest]
    #[case(Extent { source: 60, ..Extent::MAX }, "source_limit")]
    #[case(Extent { rules: 2, ..Extent::MAX }, "rule_limit")]
    #[case(Extent { data: 64, ..Extent::MAX }, "data_limit")]
    #[case(Extent { source: 100, rules: 3, data: 128 }, "")]
    fn an_administrator_may_allow_less(#[case] extent: Extent, #[case] expected: &str) {
        let rules = "package a.b\nx := 1\ny := 2\nz := data.d";
        let mut definition = definition(&[rules, &commented(40)]);
        definition.data.insert("d".to_owned(), json!([1, 2, 3]));
        let allowance = Allowance {
            extent,
            ..Allowance::default()
        };
        let policy = Policy::compile_within(definition, &(), allowance);
        let faults = policy.faults().cloned().map_or(Ok(()), Err);
        assert_eq!(codes(&faults).concat(), expected);
    }

    #[test]
    fn what_cannot_be_compiled_for_its_imports_is_not_read_beyond_the_bound_either() {
        let mut importer = definition(&["package a.b\nx := 1"]);
        let address = "a/nothing@1".parse().unwrap();
        importer.imports.push(Import { address, pin: None });
        let extent = Extent {
            source: 10,
            ..Extent::MAX
        };
        let allowance = Allowance {
            extent,
            ..Allowance::default()
        };
        let policy = Policy::compile_within(importer, &(), allowance);
        let faults = policy.faults().expect("nothing to import").to_string();
        assert!(faults.contains("source_limit"), "{faults}");
    }
}

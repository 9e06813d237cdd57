//! How much may be compiled together: a policy's own modules and data, and those of its imports.
//!
//! Every pass of the compiler takes time and memory in proportion to the source, two hundred bytes
//! of memory for a byte of source at worst (`examples/growth` measures it). So what bounds the
//! source bounds both.

use serde_json::{Map, Value as Json};

use super::ast::Module;
use crate::Diagnostic;

/// Bytes of all modules that are compiled together: compiling takes four hundred megabytes at worst,
/// and there are two compilers at a time. The largest frameworks of policies have ten thousand lines
/// and a quarter of it.
const MAX_SOURCE: usize = 2 << 20;

/// Rules and functions of all these modules, each definition of one counted: the largest frameworks
/// have a few thousand.
const MAX_RULES: usize = 20_000;

/// Parts of the names of all these rules, as they stand below `data`, those of the places above
/// them counted too: each place knows its path. Rules of four parts in a package of four have 26.
const MAX_PARTS: usize = 1_000_000;

/// Values in the data of a policy and its imports: they take some hundred bytes each while they are
/// read.
const MAX_VALUES: usize = 1_000_000;

/// Bytes of all texts and keys in these data.
const MAX_TEXT: usize = 32 << 20;

/// What is wrong with this much source.
pub(super) fn of_source<'t>(modules: impl Iterator<Item = &'t str>) -> Option<Diagnostic> {
    let bytes: usize = modules.map(str::len).sum();
    (bytes > MAX_SOURCE).then(|| {
        let text = format!(
            "the modules have {bytes} bytes, those of imports included; at most {MAX_SOURCE} are \
             compiled together"
        );
        Diagnostic::new("source_limit", text)
            .with_remedy("split the policy into several, or move tables into `data`")
    })
}

/// What is wrong with so many rules.
pub(super) fn of_rules(modules: &[Module]) -> Option<Diagnostic> {
    let rules: usize = modules.iter().map(|module| module.rules.len()).sum();
    let fault = if rules > MAX_RULES {
        format!("there are {rules} rules and functions; at most {MAX_RULES} are compiled together")
    } else if modules.iter().map(parts).sum::<usize>() > MAX_PARTS {
        format!(
            "the names of packages and rules have more than {MAX_PARTS} parts in all, with those of \
             the places above them"
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
pub(super) fn of_data(data: &Map<String, Json>) -> Option<Diagnostic> {
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
    let fault = if values > MAX_VALUES {
        format!(
            "`data` has {values} values, those of imports included; at most {MAX_VALUES} are kept"
        )
    } else if bytes > MAX_TEXT {
        format!(
            "`data` has {bytes} bytes of texts and keys, those of imports included; at most \
             {MAX_TEXT} are kept"
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

    use super::{MAX_RULES, MAX_TEXT, MAX_VALUES};
    use crate::{Address, Among, Definition, Import, Policy, rego::Program};

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
        match Program::compile(definition, &[]) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(|fault| fault.code.clone()).collect(),
        }
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
            crate::Allowance::default(),
        );
        let faults = policy.faults().expect("too much");
        assert!(faults.to_string().contains("source_limit"), "{faults}");
    }
}

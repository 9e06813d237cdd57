//! What conditions mean, what they read, and what is refused.

use std::{sync::Arc, time::Duration};

use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::{Document, Labels, Timestamp};

fn request(labels: Option<&[(&str, &str)]>) -> Request {
    let labels = labels.map(|labels| {
        let labels = labels.iter();
        let owned = labels.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Arc::new(owned.collect::<Labels>())
    });
    Request {
        id: Arc::from("id"),
        now: Timestamp::UNIX_EPOCH,
        headers: Arc::default(),
        budget: Duration::from_secs(5),
        namespace: labels,
        tool: None,
        strict: false,
    }
}

/// The change of a Pod.
fn review() -> Json {
    json!({
        "uid": "1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "web",
        "namespace": "shop",
        "operation": "UPDATE",
        "userInfo": {"username": "ann", "groups": ["system:authenticated", "dev"]},
        "object": {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "labels": {"app": "web", "tier": "front"}, "annotations": {"a.b/c": "x"}},
            "spec": {
                "replicas": 3,
                "weight": 2.5,
                "host": null,
                "containers": [
                    {"name": "web", "image": "nginx:1.29", "ports": [80, 443]},
                    {"name": "log", "image": "fluent"},
                ],
            },
        },
        "oldObject": {"metadata": {"name": "web", "labels": {"app": "old"}}, "spec": {}},
        "dryRun": false,
    })
}

/// Asks one condition of a document; what it does not look at is not read.
fn ask(expression: &str, review: &Json, request: &Request) -> Verdict {
    let condition = Condition {
        name: "it".to_owned(),
        expression: expression.to_owned(),
    };
    let conditions = Conditions::compile(&[condition]).unwrap_or_else(|faults| panic!("{faults}"));
    let document = Document::from(review);
    let looked_at = conditions.access().prune(document.value());
    let parameters = Document::from(&json!({"most": 2, "names": ["web"]}));
    let limits = Limits {
        timeout: Duration::from_mins(1),
        ..Limits::DEFAULT
    };
    let (verdict, _) = conditions.judge(&looked_at, parameters.value(), request, limits);
    let (whole, _) = conditions.judge(document.value(), parameters.value(), request, limits);
    assert_eq!(
        verdict, whole,
        "what is read makes a difference: {expression}"
    );
    verdict
}

const TRUE: Option<bool> = Some(true);
const FALSE: Option<bool> = Some(false);
const FAILS: Option<bool> = None;

fn said(verdict: &Verdict) -> Option<bool> {
    match verdict {
        Verdict::Judged | Verdict::Unknown => TRUE,
        Verdict::Unmatched => FALSE,
        Verdict::Failed(_) => FAILS,
    }
}

#[rstest]
// What a request is.
#[case("request.operation == 'UPDATE'", TRUE)]
#[case("request.operation in ['CREATE', 'DELETE']", FALSE)]
#[case("request.userInfo.username.startsWith('system:')", FALSE)]
#[case("'dev' in request.userInfo.groups", TRUE)]
#[case("!('system:nodes' in request.userInfo.groups)", TRUE)]
#[case(
    "request.resource.resource == 'pods' && request.kind.kind == 'Pod'",
    TRUE
)]
#[case("request.dryRun", FALSE)]
#[case("has(request.subResource)", FALSE)]
#[case("request.subResource == ''", FAILS)]
#[case("request.namespace == 'shop' || request.name == 'db'", TRUE)]
// Objects.
#[case("object.metadata.name == 'web'", TRUE)]
#[case("object.metadata.labels.app != oldObject.metadata.labels.app", TRUE)]
#[case("object.metadata.labels['app'] == 'web'", TRUE)]
#[case("'a.b/c' in object.metadata.annotations", TRUE)]
#[case("'tier' in oldObject.metadata.labels", FALSE)]
#[case(
    "has(object.metadata.labels) && has(object.metadata.labels.team)",
    FALSE
)]
#[case("has(object.spec.host)", TRUE)]
#[case("object.spec.host == null", TRUE)]
#[case("object.spec.missing == 1", FAILS)]
#[case("has(object.spec.missing.deeper)", FAILS)]
#[case("has(object.metadata.name.first)", FALSE)]
#[case("has(object.spec.containers.first)", FAILS)]
// A field of what has none is an error, and never false; only `has` may ask.
#[case("object.spec.host.name", FAILS)]
#[case("has(object.spec.host.name)", FALSE)]
#[case("object.metadata.name.first == 'w'", FAILS)]
#[case("object == oldObject", FALSE)]
#[case("object.spec == {'replicas': 3}", FALSE)]
#[case("oldObject.spec == {}", TRUE)]
// Logic without an order.
#[case("object.spec.missing == 1 || true", TRUE)]
#[case("true || object.spec.missing == 1", TRUE)]
#[case("object.spec.missing == 1 && false", FALSE)]
#[case("object.spec.missing == 1 || false", FAILS)]
#[case("object.spec.missing == 1 && true", FAILS)]
#[case("'a' || true", TRUE)]
#[case("'a' && true", FAILS)]
#[case("true ? false : object.spec.missing", FALSE)]
#[case("object.spec.missing ? true : true", FAILS)]
#[case("!'a'", FAILS)]
// Numbers.
#[case("object.spec.replicas == 3 && object.spec.replicas == 3.0", TRUE)]
#[case("object.spec.replicas > params.most", TRUE)]
#[case("object.spec.weight > 2", TRUE)]
#[case("object.spec.weight + 0.5 == 3.0", TRUE)]
#[case(
    "object.spec.replicas + 1 == 4 && 7 / 2 == 3 && -7 % 4 == -3 && 2 * 3 - 1 == 5",
    TRUE
)]
#[case("object.spec.replicas + 1.0 == 4.0", FAILS)]
#[case("1 / (object.spec.replicas - 3) == 0", FAILS)]
#[case("9223372036854775807 + 1 > 0", FAILS)]
#[case("1 < 'a'", FAILS)]
#[case("1 == 'a'", FALSE)]
#[case(
    "int('12') == 12 && int(2.9) == 2 && double('1.5') == 1.5 && string(7) == '7'",
    TRUE
)]
#[case("int('x') == 1", FAILS)]
#[case("int(1e300) == 1", FAILS)]
// Lists and maps.
#[case("object.spec.containers[0].name == 'web'", TRUE)]
#[case("object.spec.containers[2].name == 'web'", FAILS)]
#[case("object.spec.containers['a'] == 1", FAILS)]
#[case("object.spec.containers.all(c, c.image.startsWith('nginx'))", FALSE)]
#[case("object.spec.containers.exists(c, c.image == 'fluent')", TRUE)]
#[case("object.spec.containers.exists_one(c, c.name.contains('o'))", TRUE)]
#[case(
    "object.spec.containers.filter(c, has(c.ports)).map(c, c.name) == ['web']",
    TRUE
)]
#[case(
    "object.spec.containers.map(c, has(c.ports), c.ports[0]) == [80]",
    TRUE
)]
#[case("object.metadata.labels.all(key, key in ['app', 'tier'])", TRUE)]
#[case(
    "object.metadata.labels.exists(key, object.metadata.labels[key] == 'front')",
    TRUE
)]
#[case("[1, 2].all(x, [3, 4].all(y, x < y))", TRUE)]
#[case("[[1], [2]].exists(x, (x + [1]) == [2, 1] && x == [2])", TRUE)]
#[case(
    "[1, 2] + [3] == [1, 2, 3] && size([1, 2]) == 2 && {'a': 1}.size() == 1",
    TRUE
)]
#[case("{'a': 1, 'a': 2} == {'a': 2}", FAILS)]
#[case("{1: 2} == {}", FAILS)]
#[case("'a'.all(x, true)", FAILS)]
// An element that fails counts only where no other decides.
#[case("object.spec.containers.all(c, c.ports[0] == 1)", FALSE)]
#[case("object.spec.containers.exists(c, c.ports[0] == 80)", TRUE)]
#[case("object.spec.containers.exists(c, c.ports[0] == 81)", FAILS)]
#[case("object.spec.containers.all(c, c.ports[0] == 80)", FAILS)]
#[case("object.spec.containers.exists_one(c, c.ports[0] == 80)", FAILS)]
#[case("object.spec.containers.map(c, c.ports[0]) == [80]", FAILS)]
#[case("sets.intersects(request.userInfo.groups, ['dev', 'ops'])", TRUE)]
#[case(
    "sets.contains(['a', 'b'], ['b']) && sets.equivalent([1, 2], [2, 1, 1])",
    TRUE
)]
// Texts.
#[case("size('é') == 1 && 'é'.size() == 1", TRUE)]
#[case(
    "'hello'.contains('ell') && 'hello'.endsWith('lo') && 'hello'.matches('^h.*o$')",
    TRUE
)]
#[case("matches('hello', 'ell')", TRUE)]
#[case("'Ab'.lowerAscii() + 'Ab'.upperAscii() == 'abAB'", TRUE)]
#[case("' a '.trim() == 'a'", TRUE)]
#[case(
    "'a-b-c'.split('-') == ['a', 'b', 'c'] && 'a-b-c'.split('-', 2) == ['a', 'b-c']",
    TRUE
)]
#[case("'a-b'.split('-', 0) == [] && 'ab'.split('') == ['a', 'b']", TRUE)]
#[case("['a', 'b'].join('-') == 'a-b' && ['a', 'b'].join() == 'ab'", TRUE)]
#[case(
    "'aaa'.replace('a', 'b', 2) == 'bba' && 'aaa'.replace('a', '') == ''",
    TRUE
)]
#[case(
    "'héllo'.substring(1, 3) == 'él' && 'héllo'.substring(3) == 'lo'",
    TRUE
)]
#[case("'abc'.substring(2, 1) == ''", FAILS)]
#[case("'abc'.substring(1, 9) == 'bc'", FAILS)]
#[case(
    "'héllo'.indexOf('l') == 2 && 'héllo'.lastIndexOf('l') == 3 && 'a'.indexOf('b') == -1",
    TRUE
)]
#[case("'héllo'.charAt(1) == 'é' && 'abc'.charAt(3) == ''", TRUE)]
#[case("'abc'.charAt(4) == ''", FAILS)]
#[case("'a' < 'b' && 'B' < 'a'", TRUE)]
#[case("string(1.5) == '1.5'", FAILS)]
#[case("object.spec.replicas.startsWith('3')", FAILS)]
// Optionals.
#[case("object.?spec.?missing.?deeper.orValue('none') == 'none'", TRUE)]
#[case("object.?metadata.labels.app.orValue('none') == 'web'", TRUE)]
#[case("object.metadata.labels[?'team'].hasValue()", FALSE)]
#[case("object.spec.containers[?7].hasValue()", FALSE)]
#[case("object.?spec.replicas.value() == 3", TRUE)]
#[case("object.?spec.missing.value() == 3", FAILS)]
#[case("object.?spec.missing.or(object.?spec.replicas).orValue(0) == 3", TRUE)]
#[case("object.spec.host.?name.orValue('') == ''", TRUE)]
#[case("object.spec.containers.?first.hasValue()", FAILS)]
#[case(
    "object.spec.host[?0].hasValue() || object.metadata[?0].hasValue()",
    FALSE
)]
#[case("object.spec.containers[?'a'].hasValue()", FAILS)]
#[case("object.?spec.replicas == 3", FAILS)]
#[case("has(object.?spec.missing)", FALSE)]
// Parameters.
#[case("object.metadata.name in params.names", TRUE)]
#[case("params.missing == 1", FAILS)]
fn an_expression_is(#[case] expression: &str, #[case] expected: Option<bool>) {
    let verdict = ask(expression, &review(), &request(Some(&[])));
    assert_eq!(said(&verdict), expected, "{verdict:?}");
}

/// In a deletion there is no object, and a field of it is an error.
#[rstest]
#[case("object == null", TRUE)]
#[case("object.metadata.name == 'web'", FAILS)]
#[case("has(object.metadata)", FALSE)]
#[case("object.?metadata.?labels.?app.orValue('none') == 'none'", TRUE)]
#[case("request.operation == 'DELETE' || object.metadata.name == 'web'", TRUE)]
#[case("oldObject.metadata.name == 'web'", TRUE)]
fn a_deletion_has_no_object(#[case] expression: &str, #[case] expected: Option<bool>) {
    let mut review = review();
    review["operation"] = json!("DELETE");
    review["object"] = json!(null);
    let verdict = ask(expression, &review, &request(None));
    assert_eq!(said(&verdict), expected, "{verdict:?}");
}

const LABELS: Option<&[(&str, &str)]> = Some(&[("env", "prod")]);

#[rstest]
#[case("namespaceObject.metadata.labels.env == 'prod'", LABELS, TRUE)]
#[case("namespaceObject.metadata.labels['env'] == 'test'", LABELS, FALSE)]
#[case("namespaceObject.metadata.name == 'shop'", LABELS, TRUE)]
#[case("has(namespaceObject.metadata.labels)", Some(&[][..]), FALSE)]
// What depends on a namespace that is not known holds; what does not, decides.
#[case("namespaceObject.metadata.labels.env == 'test'", None, TRUE)]
#[case(
    "namespaceObject.metadata.labels.env == 'test' && request.name == 'db'",
    None,
    FALSE
)]
#[case("namespaceObject == null", None, TRUE)]
fn a_namespace_is_looked_at(
    #[case] expression: &str,
    #[case] labels: Option<&[(&str, &str)]>,
    #[case] expected: Option<bool>,
) {
    let verdict = ask(expression, &review(), &request(labels));
    assert_eq!(said(&verdict), expected, "{verdict:?}");
}

#[rstest]
#[case::of_the_cluster(json!({"group": "", "kind": "Node"}), json!(""))]
#[case::of_the_cluster_without_one(json!({"group": "", "kind": "Node"}), json!(null))]
#[case::a_namespace(json!({"group": "", "kind": "Namespace"}), json!("shop"))]
fn what_is_in_no_namespace_has_none(#[case] kind: Json, #[case] namespace: Json) {
    let mut review = review();
    review["kind"] = kind;
    review["namespace"] = namespace;
    let verdict = ask("namespaceObject == null", &review, &request(None));
    assert_eq!(said(&verdict), TRUE);
    let verdict = ask(
        "namespaceObject.metadata.name == 'shop'",
        &review,
        &request(LABELS),
    );
    assert_eq!(said(&verdict), FAILS);
}

fn conditions(expressions: &[&str]) -> Vec<Condition> {
    let number = |(number, expression): (usize, &&str)| Condition {
        name: format!("c{number}"),
        expression: (*expression).to_owned(),
    };
    expressions.iter().enumerate().map(number).collect()
}

#[rstest]
#[case(&["true", "true"], "judged")]
#[case(&["true", "false"], "unmatched")]
#[case(&["object.missing", "false"], "unmatched")]
#[case(&["true", "object.missing", "object.nothing"], "c1")]
fn one_that_is_false_decides(#[case] expressions: &[&str], #[case] expected: &str) {
    let conditions = Conditions::compile(&conditions(expressions)).unwrap();
    let document = Document::from(&review());
    let nothing = Document::default();
    let (verdict, _) = conditions.judge(
        document.value(),
        nothing.value(),
        &request(None),
        Limits::DEFAULT,
    );
    let found = match verdict {
        Verdict::Judged | Verdict::Unknown => "judged".to_owned(),
        Verdict::Unmatched => "unmatched".to_owned(),
        Verdict::Failed(message) => {
            assert_eq!(message.code, Code::EvaluationFailed);
            assert!(message.remedy.is_some());
            message.message
        }
    };
    assert!(found.contains(expected), "{found}");
}

/// What a refusal says.
#[rstest]
#[case("request.operation ==", "1:")]
#[case("", "1:1")]
#[case(
    "authorizer.group('').resource('pods').check('get').allowed()",
    "`authorizer` cannot be used"
)]
#[case("variables.a == 1", "there are no `variables`")]
#[case("self.a == 1", "there is no variable `self`")]
#[case("x == 1 || [1].all(x, true)", "there is no variable `x`")]
#[case("cel.bind(a, 1, a == 1)", "`cel.bind` cannot be used")]
#[case("optional.of(1).hasValue()", "`optional.of` cannot be used")]
#[case("[1].all(i, v, v == 1)", "two variables")]
#[case("[1].transformList(i, v, v) == [1]", "two variables")]
#[case("[1].sortBy(x, x) == [1]", "there is no variable `x`")]
#[case(
    "quantity('1Gi').isGreaterThan(quantity('1Mi'))",
    "the function `quantity`"
)]
#[case(
    "timestamp('2026-01-01T00:00:00Z') == timestamp('2026-01-01T00:00:00Z')",
    "the function `timestamp`"
)]
#[case("type(1) == int", "the function `type`")]
#[case("object.unknown()", "the function `unknown`")]
#[case("size(1, 2) == 1", "the function `size` with 2 arguments")]
#[case("1u == 1", "unsigned integers")]
#[case("b'a' == b'a'", "bytes")]
#[case("[?object.?a] == []", "an element with `?`")]
#[case("{?'a': object.?a} == {}", "an entry with `?`")]
#[case("Pod{name: 'a'} == object", "there is no type `Pod`")]
#[case(
    "request.object.metadata.name == 'a'",
    "`request.object` cannot be used"
)]
#[case(
    "request['oldObject'].metadata.name == 'a'",
    "`request.oldObject` cannot be used"
)]
#[case("request.user == 'a'", "a request has no `user`")]
#[case(
    "namespaceObject.status.phase == 'Active'",
    "`namespaceObject.status` is not known"
)]
#[case(
    "namespaceObject.metadata.annotations.a == 'b'",
    "`namespaceObject.metadata.annotations` is not known"
)]
#[case(
    "namespaceObject.?metadata.?annotations.hasValue()",
    "annotations` is not known"
)]
#[case("'a'.matches('(')", "`(` is no regular expression")]
#[case("'a'", "neither true nor false")]
#[case("size(object.spec.containers)", "neither true nor false")]
#[case("1 + 1", "neither true nor false")]
#[case("[1].map(x, x)", "neither true nor false")]
fn what_has_no_meaning_here_is_refused(#[case] expression: &str, #[case] expected: &str) {
    let faults = Conditions::compile(&conditions(&[expression])).unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!(fault.code, CODE);
    assert!(fault.message.contains(expected), "{}", fault.message);
    assert!(
        fault.message.contains("`c0`") && fault.remedy.is_some(),
        "{fault:?}"
    );
}

#[rstest]
#[case(&[("same", "true"), ("same", "true")], "empty, too long or another's: `same`")]
#[case(&[("", "true")], "empty, too long or another's")]
fn names_are_their_own(#[case] pairs: &[(&str, &str)], #[case] expected: &str) {
    let condition = |(name, expression): &(&str, &str)| Condition {
        name: (*name).to_owned(),
        expression: (*expression).to_owned(),
    };
    let conditions: Vec<Condition> = pairs.iter().map(condition).collect();
    let faults = Conditions::compile(&conditions).unwrap_err();
    assert!(faults.to_string().contains(expected), "{faults}");
}

#[test]
fn there_are_only_so_many() {
    let most = conditions(&["true"; MOST]);
    assert!(Conditions::compile(&most).is_ok());
    let faults = Conditions::compile(&conditions(&["true"; MOST + 1])).unwrap_err();
    assert!(
        faults.to_string().contains("more than 64 conditions"),
        "{faults}"
    );
}

/// Whatever is written, it is read or refused.
#[rstest]
#[case::long(format!("true{}", " || true".repeat(600)))]
#[case::parentheses(format!("{}true{}", "(".repeat(2_000), ")".repeat(2_000)))]
#[case::lists(format!("{}1{} == []", "[".repeat(2_000), "]".repeat(2_000)))]
#[case::many_lists(format!("{} == []", vec![format!("{}1{}", "[".repeat(60), "]".repeat(60)); 30].join(" + ")))]
#[case::negations(format!("{}true", "!".repeat(4_000)))]
#[case::selections(format!("object{} == 1", ".a".repeat(2_000)))]
#[case::conditionals(format!("{}true", "true ? true : ".repeat(280)))]
#[case::sums(format!("1{} == 1", " + 1".repeat(1_000)))]
#[case::calls(format!("{}'a'{} == ''", "string(".repeat(500), ")".repeat(500)))]
#[case::comprehensions(format!("{}true{}", "[1].all(x, ".repeat(300), ")".repeat(300)))]
fn deep_and_long_expressions_end(#[case] expression: String) {
    let outcome = Conditions::compile(&conditions(&[&expression]));
    if let Err(faults) = outcome {
        assert!(faults.iter().all(|fault| fault.remedy.is_some()));
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let expression = format!("'{}' == ''", "a".repeat(LONGEST));
    let faults = Conditions::compile(&conditions(&[&expression])).unwrap_err();
    assert!(
        faults.to_string().contains("longer than 4096 bytes"),
        "{faults}"
    );
}

/// Expressions whose work grows with a power of their input end by the clock or the memory, and the
/// policy's failure policy decides.
#[rstest]
#[case::time(
    "params.all(a, params.all(b, params.all(c, params.all(d, a + b + c + d != 'x'))))",
    Code::Timeout
)]
#[case::memory(
    "params.map(a, params.map(b, a + b)).map(x, params.map(y, x + [y])) == []",
    Code::MemoryExceeded
)]
fn the_budget_ends_an_evaluation(#[case] expression: &str, #[case] expected: Code) {
    let conditions = Conditions::compile(&conditions(&[expression])).unwrap();
    let parameters: serde_json::Map<String, Json> = (0..2_000)
        .map(|number| (number.to_string(), json!(number)))
        .collect();
    let limits = match expected {
        Code::Timeout => Limits {
            timeout: Duration::from_millis(20),
            memory: u64::MAX,
        },
        _ => Limits {
            timeout: Duration::from_mins(1),
            memory: 1 << 20,
        },
    };
    let parameters = Document::from(&Json::Object(parameters));
    let (verdict, _) = conditions.judge(
        Document::from(&review()).value(),
        parameters.value(),
        &request(None),
        limits,
    );
    assert_eq!(verdict.code(), Some(&expected), "{verdict:?}");
}

#[rstest]
#[case("request.operation == 'A'", json!({"operation": "UPDATE"}))]
#[case("object.metadata.name == 'A' && has(oldObject.spec.host)",
    json!({"object": {"metadata": {"name": "web"}}, "oldObject": {"spec": {}}}))]
#[case("object.metadata.labels['app'] == object.metadata.name",
    json!({"object": {"metadata": {"name": "web", "labels": {"app": "web"}}}}))]
#[case("params.a == 1", json!({}))]
#[case("namespaceObject == null",
    json!({"namespace": "shop", "kind": {"group": "", "version": "v1", "kind": "Pod"}}))]
fn only_what_is_looked_at_is_read(#[case] expression: &str, #[case] expected: Json) {
    let conditions = Conditions::compile(&conditions(&[expression])).unwrap();
    let document = Document::from(&review());
    let read = conditions.access().prune(document.value());
    assert_eq!(Document::new(read), Document::from(&expected));
}

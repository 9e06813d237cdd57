//! Operands at the edges of what functions take. The expected results are OPA's.

use rstest::rstest;

use crate::rego::builtins::tests::applied;

#[rstest]
#[case("object.subset", "[[], []]", "true")]
#[case("object.subset", "[[1, 2, 3], [2, 3]]", "true")]
#[case("object.subset", "[[1, 2, 3], [1, 3]]", "false")]
#[case(
    "object.subset",
    "[{\"a\": {\"b\": [1, 2], \"c\": 3}}, {\"a\": {\"b\": [2]}}]",
    "true"
)]
#[case("object.subset", "[{\"a\": 1}, {\"b\": 1}]", "false")]
#[case("object.subset", "[{\"a\": 1}, [1]]", "Type")]
#[case("object.subset", "[1, 1]", "Type")]
#[case("regex.find_n", "[\"b\", \"abb\", 12345678901234567890123]", "Type")]
#[case("regex.find_n", "[\"b\", \"abb\", 1]", "[\"b\"]")]
#[case("regex.find_n", "[\"b\", \"abb\", -1]", "[\"b\", \"b\"]")]
#[case("regex.find_n", "[\"b\", \"abb\", 1.5]", "Type")]
#[case("regex.find_n", "[\"a**\", \"a\", 1]", "Value")]
#[case("regex.is_valid", "[\"a++\"]", "false")]
#[case("regex.is_valid", "[\"\\\\p{Greek}\\\\x{65e5}\"]", "true")]
#[case("regex.is_valid", "[1]", "false")]
#[case("regex.is_valid", "[\"(a{100}){11}\"]", "false")]
#[case("regex.match", "[\"^\\\\p{Greek}+$\", \"αβ\"]", "true")]
#[case("regex.match", "[\"\\\\x{65e5}\", \"日\"]", "true")]
#[case("regex.split", "[\"a*\", \"baac\"]", "[\"b\", \"c\"]")]
#[case("regex.split", "[\"\", \"é1\"]", "[\"é\", \"1\"]")]
#[case("regex.template_match", "[\"a{[b-c]}\", \"ac\", \"{\", \"}\"]", "true")]
#[case("regex.template_match", "[\"a{(}\", \"a\", \"{\", \"}\"]", "Value")]
#[case(
    "sum",
    "[[0.1, 0, 12345678901234567890123, 10]]",
    "12345678901234567890000"
)]
#[case("product", "[[7, 0.1, 1.5]]", "1.0499999999999998")]
#[case("product", "[[9223372036854775807, 2]]", "18446744073709551614")]
#[case(
    "product",
    "[[0.1, 10, 16, 9223372036854775808]]",
    "147573952589676400000"
)]
#[case("div", "[9223372036854775808, 3]", "3074457345618258602.8")]
#[case("mul", "[73786976294838206464, 0.5]", "36893488147419103230")]
#[case("format_int", "[1, 10.0]", "Type")]
#[case("to_number", "[\"1e400\"]", "Value")]
#[case("units.parse_bytes", "[\"1b\"]", "Value")]
#[case("units.parse_bytes", "[\"1kb\"]", "1000")]
#[case("units.parse", "[\"1e-20\"]", "0.0")]
#[case("replace", "[\"é\", \"\", \"x\"]", "Ends")]
#[case("replace", "[\"ab\", \"\", \"x\"]", "\"xaxbx\"")]
#[case("strings.replace_n", "[{\"\": \"x\"}, \"é\"]", "Ends")]
#[case("strings.replace_n", "[{\"\": \"\"}, \"é\"]", "\"é\"")]
#[case(
    "json.patch",
    "[[1, 2], [{\"op\": \"replace\", \"path\": [1.0], \"value\": 3}]]",
    "[1, 3]"
)]
#[case("json.patch", "[{}, [{\"op\": \"remove\", \"path\": \"a\"}]]", "Value")]
#[case("json.patch", "[{}, [{}]]", "Value")]
#[case("semver.compare", "[\"v1.2.3-alpha.10\", \"1.2.3-alpha.9\"]", "1")]
#[case("semver.compare", "[\"1.2.3-a\", \"1.2.3\"]", "-1")]
#[case("semver.compare", "[\"1.2.3+b\", \"1.2.3\"]", "0")]
#[case("semver.is_valid", "[\"9223372036854775808.0.0\"]", "false")]
#[case("semver.is_valid", "[\"1.2.3-01\"]", "false")]
#[case("semver.is_valid", "[\"1.2.3.4\"]", "false")]
#[case("semver.is_valid", "[1]", "false")]
#[case("net.cidr_contains", "[\"10.0.0.0/8\", \"::ffff:10.1.2.3\"]", "true")]
#[case(
    "net.cidr_contains",
    "[\"::ffff:10.0.0.0/104\", \"10.1.2.0/24\"]",
    "true"
)]
#[case("net.cidr_contains", "[\"::/0\", \"10.1.2.3\"]", "false")]
#[case("net.cidr_contains", "[\"::/80\", \"::/80\"]", "true")]
#[case("net.cidr_contains", "[\"10.0.0.0/08\", \"10.1.2.3/+8\"]", "Value")]
#[case("net.cidr_is_valid", "[\"10.0.0.0/008\"]", "true")]
#[case("net.cidr_is_valid", "[\"10.0.0.0/+8\"]", "false")]
#[case("net.cidr_is_valid", "[\"fe80::1%eth0/64\"]", "false")]
#[case(
    "net.cidr_expand",
    "[\"::ffff:1.2.3.4/127\"]",
    "{\"1.2.3.4\", \"1.2.3.5\"}"
)]
#[case(
    "net.cidr_expand",
    "[\"255.255.255.254/31\"]",
    "{\"255.255.255.254\", \"255.255.255.255\"}"
)]
#[case("net.cidr_expand", "[\"x\"]", "Value")]
#[case(
    "uuid.parse",
    "[\"ffffffff-ffff-2fff-bfff-ffffffffffff\"]",
    "{\"clocksequence\": 16383, \"domain\": \"Domain255\", \"id\": 4294967295, \"macvariables\": \"local:multicast\", \"nodeid\": \"ff-ff-ff-ff-ff-ff\", \"time\": -7607606781572612196, \"variant\": \"RFC4122\", \"version\": 2}"
)]
#[case(
    "uuid.parse",
    "[\"6ba7b810-9dad-71d1-c0b4-00c04fd430c8\"]",
    "{\"variant\": \"Microsoft\", \"version\": 7}"
)]
#[case(
    "uuid.parse",
    "[\"URN:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8\"]",
    "{\"clocksequence\": 180, \"macvariables\": \"global:unicast\", \"nodeid\": \"00-c0-4f-d4-30-c8\", \"time\": 886630433151182400, \"variant\": \"RFC4122\", \"version\": 1}"
)]
#[case("uuid.parse", "[\"x\"]", "undefined")]
#[case("uuid.parse", "[1]", "Type")]
#[case("base64.decode", "[\"YR=\\n=\"]", "\"a\"")]
#[case("base64.decode", "[\"YQ\"]", "Value")]
#[case("base64.decode", "[\"YQ==YQ==\"]", "Value")]
#[case("base64.is_valid", "[\"YQ\\r\\n==\"]", "true")]
#[case("base64.is_valid", "[\"-_8=\"]", "false")]
#[case("base64url.decode", "[\"YQ\"]", "\"a\"")]
#[case("base64url.decode", "[\"w6k\"]", "\"é\"")]
#[case("base64url.encode_no_pad", "[\"é?>\"]", "\"w6k_Pg\"")]
#[case("base64.encode", "[\"a>?\"]", "\"YT4/\"")]
#[case("base64.decode", "[\"/w==\"]", "Ends")]
#[case("hex.decode", "[\"C3a9\"]", "\"é\"")]
#[case("hex.decode", "[\"abc\"]", "Value")]
#[case("hex.encode", "[\"é\"]", "\"c3a9\"")]
fn answers_as_opa_does(#[case] function: &str, #[case] operands: &str, #[case] expected: &str) {
    assert_eq!(applied(function, operands), expected);
}

//! What Go's `fmt` makes of it.

use rstest::rstest;

use crate::rego::{
    builtins::{Context, Fault, Surroundings, call, lookup, tests::applied},
    execute::{Budget, Limits},
    value::Value,
};

#[test]
fn wide_fields_are_paid_for() {
    let limits = Limits {
        memory: 1 << 20,
        ..Limits::default()
    };
    let mut context = Context {
        surroundings: &mut Surroundings::default(),
        budget: &mut Budget::new(limits),
    };
    let one = Value::from(vec![Value::from(1)]);
    for format in ["%9999999d", "%.9999999d", "%9999999s"] {
        let operands = [Value::from(format), one.clone()];
        let sprintf = lookup("sprintf").expect("a builtin");
        let result = call(sprintf, &mut context, &operands);
        assert!(matches!(result, Err(Fault::Ends(_))), "{format}");
    }
}

#[rstest]
#[case("sprintf", "[\"%5.2f|\", [1]]", "\"%!f(int64=   01)|\"")]
#[case("sprintf", "[\"%02X.%02X\", [1, 1.5]]", "\"01.0X1.8P+00\"")]
#[case(
    "sprintf",
    "[\"%x %.3x %#X %b\", [1.5, -0.1, 255.5, 0.75]]",
    "\"0x1.8p+00 -0x1.99ap-04 0X1.FFP+07 6755399441055744p-53\""
)]
#[case(
    "sprintf",
    "[\"%08.3d|%-8d|% d|%+d|%08d\", [42, 42, 42, 42, -42]]",
    "\"     042|42      | 42|+42|-0000042\""
)]
#[case("sprintf", "[\"%.0d|%3.0d|\", [0, 0]]", "\"|   |\"")]
#[case(
    "sprintf",
    "[\"%#o %O %#b %#x\", [8, 8, 5, -255]]",
    "\"010 0o10 0b101 -0xff\""
)]
#[case(
    "sprintf",
    "[\"%U %#U %#.6U\", [128512, 128512, 65]]",
    "\"U+1F600 U+1F600 '😀' U+000041 'A'\""
)]
#[case(
    "sprintf",
    "[\"%c %q %+q %c\", [233, 233, 233, 55296]]",
    "\"é 'é' '\\\\u00e9' �\""
)]
#[case(
    "sprintf",
    "[\"%q %+q %#q %#q\", [\"é\\n\\u200b\", \"é\", \"a`\", \"a\\tb\"]]",
    "\"\\\"é\\\\n\\\\u200b\\\" \\\"\\\\u00e9\\\" \\\"a`\\\" `a\\tb`\""
)]
#[case(
    "sprintf",
    "[\"%#v %+v %v\", [\"a\\\"b\", [1, \"x\"], {\"a\": null}]]",
    "\"\\\"a\\\\\\\"b\\\" [1, \\\"x\\\"] {\\\"a\\\": null}\""
)]
#[case(
    "sprintf",
    "[\"%x % X %# x %.2x|%6x\", [\"hi\", \"hi\", \"hi\", \"hello\", \"a\"]]",
    "\"6869 68 69 0x68 0x69 6865|    61\""
)]
#[case(
    "sprintf",
    "[\"%05s|%-5s|%.2s|%5.1s\", [\"é\", \"é\", \"日本語\", \"日本\"]]",
    "\"0000é|é    |日本|    日\""
)]
#[case(
    "sprintf",
    "[\"%t %d\", [true, \"x\"]]",
    "\"%!t(string=true) %!d(string=x)\""
)]
#[case("sprintf", "[\"%6d\", [\"x\"]]", "\"%!d(string=     x)\"")]
#[case(
    "sprintf",
    "[\"%d %s\", [123456789012345678901, 123456789012345678901]]",
    "\"123456789012345678901 123456789012345678901\""
)]
#[case(
    "sprintf",
    "[\"%+010d|%-25d|%x|%X|%f|%T\", [9223372036854775808, -9223372036854775809, 18446744073709551615, 18446744073709551615, 18446744073709551615, 18446744073709551615]]",
    "\"+9223372036854775808|-9223372036854775809     |ffffffffffffffff|FFFFFFFFFFFFFFFF|%!f(big.Int=18446744073709551615)|*big.Int\""
)]
#[case("sprintf", "[\"%[2]d %[1]d %d\", [1, 2]]", "\"2 1 2\"")]
#[case(
    "sprintf",
    "[\"%[3]d %[x]d %[]d %[1\", [1]]",
    "\"%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX) %!(NOVERB)\""
)]
#[case(
    "sprintf",
    "[\"%[2]*[1]d|%[1]*d|%-*d|%*d\", [3, 5, -4, 1]]",
    "\"    3|  5|1   |%!(BADWIDTH)%!d(MISSING)\""
)]
#[case(
    "sprintf",
    "[\"%.*f|%.[2]*f\", [2, 1.5]]",
    "\"1.50|%!(BADPREC)%!f(MISSING)\""
)]
#[case("sprintf", "[\"%.*d\", [-1, 5]]", "\"%!(BADPREC)5\"")]
#[case("sprintf", "[\"%*d\", [10000000, 1]]", "\"%!(BADWIDTH)1\"")]
#[case(
    "sprintf",
    "[\"%!|%z|%\\u00e9\", [1, 2, 3]]",
    "\"%!!(int64=1)|%!z(int64=2)|%!é(int64=3)\""
)]
#[case("sprintf", "[\"%\", [1]]", "\"%!(NOVERB)%!(EXTRA int64=1)\"")]
#[case("sprintf", "[\"%10000011d\", [1]]", "\"%!(NOVERB)%!(EXTRA int64=1)\"")]
#[case("sprintf", "[\"%d\", []]", "\"%!d(MISSING)\"")]
#[case(
    "sprintf",
    "[\"no\", [1, \"b\", 2.5]]",
    "\"no%!(EXTRA int64=1, string=b, float64=2.5)\""
)]
#[case(
    "sprintf",
    "[\"%e %E %.0e %g %G\", [123456.789, 0.00001, 15.5, 1e-7, 1e-7]]",
    "\"1.234568e+05 1.000000E-05 2e+01 1e-07 1E-07\""
)]
#[case(
    "sprintf",
    "[\"%#g %#.3g %#f %#.0f %g\", [1.5, 2.5, 1.5, 2.5, 100000.5]]",
    "\"1.50000 2.50 1.500000 2. 100000.5\""
)]
#[case(
    "sprintf",
    "[\"%.3g|%.10g|%10.3f|%-10.2f|%+.1f|% f\", [1234.5678, 0.1, 3.14159, 3.14159, 3.14159, 2.5]]",
    "\"1.23e+03|0.1|     3.142|3.14      |+3.1| 2.500000\""
)]
#[case(
    "sprintf",
    "[\"%06.1f|%+06.1f|%06.1f\", [2.25, 2.25, -2.25]]",
    "\"0002.2|+002.2|-002.2\""
)]
#[case(
    "sprintf",
    "[\"%v %v %v\", [33.333333333333333333333, 1.0, 100.0]]",
    "\"33.333333333333336 1 100\""
)]
#[case(
    "sprintf",
    "[\"%s %p %w\", [1, 1.5, \"x\"]]",
    "\"%!s(int64=1) %!p(float64=1.5) %!w(string=x)\""
)]
#[case(
    "sprintf",
    "[\"%#w %+d\", [\"x\", \"y\"]]",
    "\"%!w(string=\\\"x\\\") %!d(string=y)\""
)]
#[case("sprintf", "[\"%10T|%.3T\", [1, 1]]", "\"     int64|int\"")]
#[case(
    "sprintf",
    "[\"%q\", [\"\\u00ad\\u0378\\ue000\"]]",
    "\"\\\"\\\\u00ad\\\\u0378\\\\ue000\\\"\""
)]
#[case("sprintf", "[\"%d\", {\"a\": 1}]", "Type")]
#[case("sprintf", "[1, []]", "Type")]
fn formats_as_go_does(#[case] function: &str, #[case] operands: &str, #[case] expected: &str) {
    assert_eq!(applied(function, operands), expected);
}

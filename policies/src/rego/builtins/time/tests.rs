//! What OPA makes of times.

use rstest::rstest;

use crate::rego::builtins::tests::applied;

#[rstest]
#[case("time.format", "[20]", "\"1970-01-01T00:00:00.00000002Z\"")]
#[case(
    "time.format",
    "[[1689500000120000000, \"America/New_York\"]]",
    "\"2023-07-16T05:33:20.12-04:00\""
)]
#[case(
    "time.format",
    "[[1689500000120000000, \"Asia/Kathmandu\", \"Mon Jan _2 15:04:05.000 MST 2006\"]]",
    "\"Sun Jul 16 15:18:20.120 +0545 2023\""
)]
#[case(
    "time.format",
    "[[1689500000120000000, \"UTC\", \"RFC1123\"]]",
    "\"Sun, 16 Jul 2023 09:33:20 UTC\""
)]
#[case(
    "time.format",
    "[[1689500000120000000, \"Europe/London\", \"UnixDate\"]]",
    "\"Sun Jul 16 10:33:20 BST 2023\""
)]
#[case(
    "time.format",
    "[[1, \"UTC\", \"January 2, 06 3:4:5.999PM __2 002 Monday _2006 Janx ,000000\"]]",
    "\"January 1, 70 12:0:0AM   1 001 Thursday _1970 Janx ,000000\""
)]
#[case(
    "time.format",
    "[[1700000000000000000, \"Africa/Monrovia\", \"-07 -0700 -07:00 -070000 -07:00:00 Z07 Z0700\"]]",
    "\"+00 +0000 +00:00 +000000 +00:00:00 Z Z\""
)]
#[case(
    "time.format",
    "[[-5000000000000000000, \"Africa/Monrovia\", \"-07 -0700 -07:00 -070000 -07:00:00 Z07 Z0700\"]]",
    "\"-00 -0043 -00:43 -004308 -00:43:08 -00 -0043\""
)]
#[case("time.format", "[[1, \"utc\"]]", "Value")]
#[case("time.format", "[[1, \"america/new_york\"]]", "Value")]
#[case("time.format", "[[1, \"../UTC\"]]", "Value")]
#[case("time.format", "[[1, 2]]", "Type")]
#[case("time.format", "[[]]", "Type")]
#[case("time.format", "[\"x\"]", "Type")]
#[case("time.format", "[1.5]", "Value")]
#[case("time.format", "[9223372036854775808]", "Value")]
#[case(
    "time.format",
    "[1.00000000000000000000000001]",
    "\"1970-01-01T00:00:00.000000001Z\""
)]
#[case("time.date", "[[-9223372036854775808, \"UTC\"]]", "[1677, 9, 21]")]
#[case(
    "time.clock",
    "[[1700000000000000000, \"Australia/Lord_Howe\"]]",
    "[9, 13, 20]"
)]
#[case("time.weekday", "[-1]", "\"Wednesday\"")]
#[case(
    "time.add_date",
    "[1709164800000000000, 1, 0, 0]",
    "1740787200000000000"
)]
#[case(
    "time.add_date",
    "[1706659200000000000, 0, 1, 0]",
    "1709337600000000000"
)]
#[case("time.add_date", "[0, 0, -13, 0]", "-34214400000000000")]
#[case("time.add_date", "[0, 0, 0, 9223372036854775807]", "-86400000000000")]
#[case("time.add_date", "[0, 300, 0, 0]", "Value")]
#[case(
    "time.add_date",
    "[[1710054000000000000, \"America/New_York\"], 0, 0, -1]",
    "1709971200000000000"
)]
#[case("time.add_date", "[0, 1.5, 0, 0]", "Type")]
#[case("time.add_date", "[0, 12345678901234567890, 0, 0]", "Type")]
#[case(
    "time.diff",
    "[1709164800000000000, 1706659200000000000]",
    "[0, 0, 29, 0, 0, 0]"
)]
#[case(
    "time.diff",
    "[[1710054000000000000, \"America/New_York\"], 0]",
    "[54, 2, 9, 8, 0, 0]"
)]
#[case("time.diff", "[1, 1]", "[0, 0, 0, 0, 0, 0]")]
#[case("time.parse_ns", "[\"2006-01-02\", \"2024-02-29t12:00:00z\"]", "Value")]
#[case("time.parse_ns", "[\"é\", \"2023-02-29\"]", "Value")]
#[case("time.parse_ns", "[\"2006-01-02\", \"2023-02-29\"]", "Value")]
#[case(
    "time.parse_ns",
    "[\"2006-01-02\", \"2024-02-29\"]",
    "1709164800000000000"
)]
#[case(
    "time.parse_ns",
    "[\"Jan _2 06 3:04:05PM MST\", \"feb  3 99 12:04:05.5AM EST\"]",
    "918000245500000000"
)]
#[case(
    "time.parse_ns",
    "[\"RFC822\", \"02 Jan 06 15:04 GMT+3\"]",
    "1136214240000000000"
)]
#[case("time.parse_ns", "[\"002 2006\", \"366 2024\"]", "1735603200000000000")]
#[case("time.parse_ns", "[\"002 2006\", \"366 2023\"]", "Value")]
#[case("time.parse_ns", "[\"2006 002 01\", \"2023 033 03\"]", "Value")]
#[case(
    "time.parse_ns",
    "[\"06 15:04:05.000\", \"+5 1:02:03.+12\"]",
    "1104541323012000000"
)]
#[case(
    "time.parse_ns",
    "[\"2006 -07:00:00\", \"2000 -00:00:01\"]",
    "946684800000000000"
)]
#[case(
    "time.parse_ns",
    "[\"2006 -0700\", \"2000 +2460\"]",
    "946594800000000000"
)]
#[case("time.parse_ns", "[\"2006 -0700\", \"2000 +2500\"]", "Value")]
#[case(
    "time.parse_ns",
    "[\"2006 PM 3 am\", \"2000 PM 12 am\"]",
    "946728000000000000"
)]
#[case(
    "time.parse_ns",
    "[\"RFC3339\", \"1677-09-21T00:12:43.145224191Z\"]",
    "Value"
)]
#[case(
    "time.parse_ns",
    "[\"RFC3339\", \"1677-09-21T00:12:43.145224192Z\"]",
    "-9223372036854775808"
)]
#[case("time.parse_ns", "[\"2006\", \"2000x\"]", "Value")]
#[case(
    "time.parse_rfc3339_ns",
    "[\"2023-01-01T0:00:00,5+05:30\"]",
    "1672511400500000000"
)]
#[case("time.parse_rfc3339_ns", "[\"2023-01-01T24:00:00Z\"]", "Value")]
#[case("time.parse_rfc3339_ns", "[\"2023-01-01t00:00:00Z\"]", "Value")]
#[case(
    "time.parse_rfc3339_ns",
    "[\"2262-04-11T23:47:16.854775808Z\"]",
    "Value"
)]
#[case("time.parse_rfc3339_ns", "[1]", "Type")]
#[case("time.parse_duration_ns", "[\"1.5d2h\"]", "136800000000000")]
#[case("time.parse_duration_ns", "[\"-1y\"]", "-31536000000000000")]
#[case("time.parse_duration_ns", "[\"0.1234567890123456789s\"]", "123456789")]
#[case("time.parse_duration_ns", "[\"1μs\"]", "1000")]
#[case("time.parse_duration_ns", "[\"1μs1d\"]", "Value")]
#[case("time.parse_duration_ns", "[\"1µs1d\"]", "86400000001000")]
#[case(
    "time.parse_duration_ns",
    "[\"-9223372036854775808ns\"]",
    "-9223372036854775808"
)]
#[case("time.parse_duration_ns", "[\"9223372036854775808ns\"]", "Value")]
#[case("time.parse_duration_ns", "[\"293y\"]", "Value")]
#[case("time.parse_duration_ns", "[\"1\"]", "Value")]
#[case("time.parse_duration_ns", "[\"1..5h\"]", "Value")]
fn tells_the_time_as_opa_does(
    #[case] function: &str,
    #[case] operands: &str,
    #[case] expected: &str,
) {
    assert_eq!(applied(function, operands), expected);
}

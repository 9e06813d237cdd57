package lib.quantity_test

import data.lib.quantity

# What `resource.ParseQuantity` of k8s.io/apimachinery 0.34.1 makes of each, by `AsDec`.
read := {
	"0": 0,
	"00": 0,
	"1": 1,
	"+1": 1,
	"-1": -1,
	"007": 7,
	"1.": 1,
	".5": 0.5,
	"1.50": 1.5,
	"100m": 0.1,
	"-100m": -0.1,
	"1500m": 1.5,
	"250u": 0.00025,
	"1n": 0.000000001,
	"0.1n": 0.000000001,
	"-0.1n": -0.000000001,
	"1.0000000001": 1.000000001,
	"0.0000000000": 0,
	"2k": 2000,
	"1.5M": 1500000,
	"1G": 1000000000,
	"1T": 1000000000000,
	"1P": 1000000000000000,
	"1E": 1000000000000000000,
	"100E": 100000000000000000000,
	"1Ki": 1024,
	"1.5Ki": 1536,
	"1Mi": 1048576,
	"0.1Mi": 104857.6,
	"1Gi": 1073741824,
	"0.1Gi": 107374182.4,
	"1Ti": 1099511627776,
	"1Pi": 1125899906842624,
	"7Ei": 8070450532247928832,
	"8Ei": 9223372036854775807,
	"100Ei": 9223372036854775807,
	"-100Ei": -9223372036854775807,
	"1e3": 1000,
	"1E3": 1000,
	"1e+3": 1000,
	"1e03": 1000,
	"15e-1": 1.5,
	"1e-12": 0.000000001,
	"0e5": 0,
	"9007199254740993": 9007199254740993,
	"123456789012345678901234567890": 123456789012345678901234567890,
	"123456789012345.123456789": 123456789012345.123456789,
	"-123456789012345.123456789": -123456789012345.123456789,
}

refused := [
	"",
	" ",
	" 1",
	"1 ",
	"1\n",
	"1K",
	"1ki",
	"1mi",
	"1Kb",
	"1e",
	"1e1.5",
	"1e3m",
	"1kk",
	"1,5",
	"1.2.3",
	"--1",
	"0x10",
	"NaN",
	"Inf",
	"1_000",
	"١",
	"one",
	null,
	true,
	[],
	["1"],
	{},
	set(),
]

# What differs from apimachinery, which reads the first as zero and takes the other two as they are.
stricter := ["Ki", "1e100", sprintf("%065d", [1])]

test_quantities_are_read if {
	[text | some text, number in read; not quantity.parse(text) == number] == []
}

test_numbers_are_read if {
	numbers := [0, 1, -1, 0.1, 1.5, 1e3, 1e-9, 9007199254740993, 1e30]
	[number | some number in numbers; not quantity.parse(number) == number] == []
	quantity.parse(1e-12) == 1e-9
}

test_everything_else_is_no_quantity if {
	[value | some value in array.concat(refused, stricter); quantity.parse(value)] == []
	[value | some value in array.concat(refused, stricter); quantity.is_valid(value) != false] == []
	[text | some text, _ in read; not quantity.is_valid(text)] == []
}

test_numbers_are_canonical if {
	sprintf("%v", [quantity.parse("1.500")]) == "1.5"
	json.marshal(quantity.parse("100m")) == "0.1"
	json.marshal(quantity.parse("1000m")) == "1"
}

test_same_amounts_are_equal if {
	every pair in [
		["100m", "0.1"],
		["1024Mi", "1Gi"],
		["1e9", "1G"],
		["1000m", 1],
		["0", "0Gi"],
		["1500000u", "1.5"],
	] {
		quantity.compare(pair[0], pair[1]) == 0
	}
}

test_amounts_have_an_order if {
	ascending := ["-1", "0", "1n", "1u", "1m", "0.5", "999m", "1", "1k", "1Ki", "1M", "1Mi", "1G", "1Gi", "1E", "1Ei"]
	every index in numbers.range(0, count(ascending) - 2) {
		quantity.compare(ascending[index], ascending[index + 1]) == -1
		quantity.compare(ascending[index + 1], ascending[index]) == 1
	}
}

test_large_amounts_are_not_rounded if {
	quantity.compare("9007199254740992", "9007199254740993") == -1
	quantity.compare("18446744073709551616", "18446744073709551617") == -1
	quantity.compare("8191.999999999Ti", "8192Ti") == -1
}

test_bounds if {
	quantity.is_at_most("512Mi", "1Gi")
	quantity.is_at_most("1Gi", "1024Mi")
	quantity.is_at_most("2Gi", "1Gi") == false
	quantity.is_at_least("1Gi", "1024Mi")
	quantity.is_at_least("512Mi", "1Gi") == false
}

test_nothing_is_within_bounds_that_cannot_be_read if {
	quantity.is_at_most("1GB", "1Gi") == false
	quantity.is_at_most("1Gi", null) == false
	quantity.is_at_least(null, "0") == false
	quantity.is_at_least("1", "many") == false
	not quantity.compare("1GB", "1Gi")
}

test_totals if {
	quantity.total(["500m", "1", 2]) == 3.5
	quantity.total([]) == 0
	quantity.total(["1Gi", "1Gi"]) == 2147483648
	not quantity.total(["1", "one"])
	not quantity.total("1")
}

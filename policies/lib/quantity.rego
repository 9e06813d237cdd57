# METADATA
# title: Kubernetes quantities
# description: |
#   `100m`, `0.1`, `1Gi`, `1e9` as apimachinery's `resource.Quantity` reads them: as exact numbers, which are compared
#   with `<` and `==` like any others. What is finer than a billionth is rounded up, and amounts with a binary suffix end
#   at 2^63-1, as in Kubernetes. Texts without a digit (`Ki`), which apimachinery reads as zero, are not quantities here, nor
#   are exponents of three digits and texts of more than 64 characters.
#
#   What is not a quantity has no value: `quantity.parse(amount) > limit` is silent about it. A policy that refuses
#   amounts also refuses what `not quantity.is_valid(amount)`.
package lib.quantity

# METADATA
# scope: document
# title: The number that a quantity stands for
# description: |
#   A text or a number of JSON. `quantity.parse("1500m")` is `1.5`, `quantity.parse("2Ki")` is `2048`. Undefined for what
#   is not a quantity.
parse(quantity) := parsed(quantity) if is_string(quantity)

parse(quantity) := parsed(json.marshal(quantity)) if is_number(quantity)

# METADATA
# scope: document
# title: Whether a value is a quantity
# description: False for everything but texts and numbers, too.
default is_valid(_) := false

is_valid(quantity) if is_number(parse(quantity))

# METADATA
# scope: document
# title: How two quantities compare
# description: |
#   `-1` if the first is less than the second, `0` if they are the same amount, `1` if it is more. Undefined if either is
#   not a quantity.
compare(a, b) := order(parse(a), parse(b))

# METADATA
# scope: document
# title: Whether a quantity is no more than another
# description: False, too, if either is not a quantity.
default is_at_most(_, _) := false

is_at_most(quantity, maximum) if parse(quantity) <= parse(maximum)

# METADATA
# scope: document
# title: Whether a quantity is no less than another
# description: False, too, if either is not a quantity.
default is_at_least(_, _) := false

is_at_least(quantity, minimum) if parse(quantity) >= parse(minimum)

# METADATA
# scope: document
# title: The sum of quantities
# description: |
#   Of an array of them. Undefined if one is not a quantity: the sum of the others would be too small.
total(quantities) := sum(amounts) if {
	is_array(quantities)
	amounts := [amount | some quantity in quantities; amount := parse(quantity)]
	count(amounts) == count(quantities)
}

order(a, b) := -1 if a < b

order(a, b) := 0 if a == b

order(a, b) := 1 if a > b

# The work grows with the length, and no quantity of a cluster is longer.
longest := 64

parsed(text) := signed(sign, magnitude(whole, fraction, exponent(exponent_sign, digits, suffix), suffix)) if {
	count(text) <= longest
	[_, sign, whole, fraction, exponent_sign, digits, suffix] := regex.find_all_string_submatch_n(
		`^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?)0*([0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)$`,
		text,
		1,
	)[0]
	concat("", [whole, fraction]) != ""
}

signed(sign, amount) := to_number(sprintf("-%s", [json.marshal(amount)])) if {
	sign == "-"
	amount != 0
} else := amount

# Amounts with a binary suffix have a largest one, and the others have none.
magnitude(whole, fraction, power, suffix) := shifted(number(concat("", [whole, fraction])), power - count(fraction)) if {
	not suffix in object.keys(binary)
} else := min([amount, largest_binary]) if {
	amount := shifted(number(concat("", [whole, fraction])) * binary[suffix], power - count(fraction))
}

binary := {
	"Ki": 1024,
	"Mi": 1048576,
	"Gi": 1073741824,
	"Ti": 1099511627776,
	"Pi": 1125899906842624,
	"Ei": 1152921504606846976,
}

largest_binary := 9223372036854775807

# The power of ten that an exponent or a suffix stands for.
exponent("-", digits, _) := 0 - number(digits)

exponent(sign, digits, _) := number(digits) if {
	sign != "-"
	digits != ""
}

exponent("", "", suffix) := object.get(decimal, suffix, 0)

decimal := {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

# A whole number times a power of ten: the point moves in its text, so that nothing is rounded but what is finer than
# the finest amount.
shifted(whole, power) := pointed(whole, power) if {
	power >= finest
} else := pointed(rounded_up(whole, finest - power), finest)

finest := -9

pointed(whole, power) := 0 if {
	whole == 0
} else := to_number(concat("", [sprintf("%d", [whole]), zeros(power)])) if {
	power >= 0
} else := to_number(trim_right(trim_right(concat(".", parts), "0"), ".")) if {
	parts := cut(whole, 0 - power)
}

# Without its last digits, and one more if they say anything.
rounded_up(whole, length) := number(kept) if {
	[kept, dropped] := cut(whole, length)
	trim_left(dropped, "0") == ""
} else := number(kept) + 1 if {
	[kept, _] := cut(whole, length)
}

# The text of a whole number in two, with so many digits behind the cut.
cut(whole, length) := [substring(text, 0, at), substring(text, at, -1)] if {
	written := sprintf("%d", [whole])
	text := concat("", [zeros((length + 1) - count(written)), written])
	at := count(text) - length
}

zeros(length) := substring(sprintf("%0200d", [0]), 0, max([length, 0]))

number(digits) := to_number(significant(digits))

# JSON's numbers, which are what `to_number` reads, do not begin with a superfluous zero.
significant(digits) := trimmed if {
	trimmed := trim_left(digits, "0")
	trimmed != ""
} else := "0"

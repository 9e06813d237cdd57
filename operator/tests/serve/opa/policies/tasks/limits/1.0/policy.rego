package tasks.limits

numbers := [1, 2.5, 1000, 100000000000000000000, -7]

names := {"a", "b", "c"}

table := {
	"one": {"two": {"three": [1, {"four": 4}]}},
	"empty": {},
	"list": [],
	"nothing": null,
	"yes": true,
	"no": false,
}

by_number[n] := n * n if some n in [1, 2, 3]

by_name[name] := count(name) if some name in ["ann", "bob"]

pairs contains [x, y] if {
	some x in [1, 2]
	some y in [3]
}

package tasks.authz

default allow := false

allow if input.user == data.owner

allow if "admin" in input.roles

roles contains role if some role in input.roles

deny contains "nobody" if not input.user

greeting := sprintf("hello %v", [input.user])

never if input.never == "so"

share := 10 / input.by

conflict := value if {
	input.conflict
	some value in [1, 2]
}

traced if {
	trace("looked")
	input.user == "ann"
}

relayed if traced

double(x) := x * 2

seen := input

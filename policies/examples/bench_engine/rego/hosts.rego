package bench

deny contains msg if {
	some route in input.routes
	same := [other.name | some other in input.routes; other.host == route.host]
	count(same) > 1
	msg := sprintf("%s is the host of %s", [route.host, concat(", ", same)])
}

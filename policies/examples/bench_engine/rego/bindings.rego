package bench

permissions := {
	"viewer": {"get", "list"},
	"author": {"get", "list", "create"},
	"editor": {"get", "list", "create", "update"},
}

default searched := false

searched if {
	some binding in data.bindings
	binding.subject == input.user
	binding.namespace == input.namespace
	input.action in permissions[binding.role]
}

default looked_up := false

looked_up if {
	some binding in data.by_subject[input.user]
	binding.namespace == input.namespace
	input.action in permissions[binding.role]
}

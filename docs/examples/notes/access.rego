package notes.access

allow if {
	some role in input.roles
	trace(sprintf("trying %s", [role]))
	may_enter(role)
}

may_enter(role) if role == "manager"

age := to_number(input.age)

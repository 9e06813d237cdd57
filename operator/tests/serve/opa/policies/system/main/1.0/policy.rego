package system.main

allow if input.user == "ann"

user := input.user

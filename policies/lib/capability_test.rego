package lib.capability_test

import data.lib.capability

codes(requested, declared, approved) := {[denial.code, denial.details.capability] |
	some denial in capability.denials(requested, declared, approved)
}

test_what_is_declared_and_approved_is_granted if {
	capability.denials(["read", "write"], ["read", "write", "delete"], {"read", "write"}) == set()
	capability.denials({"read"}, {"read"}, ["read"]) == set()
}

test_who_requests_nothing_is_not_refused if {
	capability.denials([], ["read"], ["read"]) == set()
	capability.denials([], null, null) == set()
}

test_what_was_not_declared_is_refused if {
	codes(["read", "write"], ["read"], ["read", "write"]) == {["CAPABILITY.NOT_DECLARED", "write"]}
}

test_what_was_not_approved_is_refused if {
	codes(["read", "write"], ["read", "write"], ["read"]) == {["CAPABILITY.NOT_APPROVED", "write"]}
}

test_what_was_neither_is_refused_for_both if {
	codes(["write"], ["read"], ["read"]) == {
		["CAPABILITY.NOT_APPROVED", "write"],
		["CAPABILITY.NOT_DECLARED", "write"],
	}
}

test_capabilities_are_compared_whole if {
	every requested in ["read:all", "rea", "READ", "*", " read"] {
		count(codes([requested], ["read"], ["read"])) == 2
	}
	count(codes(["read"], ["*"], ["*"])) == 2
}

test_declarations_and_approvals_that_cannot_be_read_are_none if {
	every malformed in [null, "read", 1, {}, {"read": true}, [["read"]], ["read", 1], ["read", ""]] {
		codes(["read"], malformed, ["read"]) == {["CAPABILITY.NOT_DECLARED", "read"]}
		codes(["read"], ["read"], malformed) == {["CAPABILITY.NOT_APPROVED", "read"]}
	}
}

test_requests_that_cannot_be_read_are_refused if {
	every malformed in [null, "read", 1, true, {}, {"read": true}, [["read"]], ["read", 1], [""]] {
		{denial.code | some denial in capability.denials(malformed, ["read"], ["read"])} == {"CAPABILITY.MALFORMED"}
	}
}

test_denials_are_complete if {
	every denial in capability.denials(["write"], [], []) {
		object.keys(denial) == {"msg", "code", "severity", "remedy", "details"}
	}
	some denial in capability.denials(["write"], [], ["write"])
	denial.msg == `the capability "write" is requested and was not declared`
}

test_one_capability if {
	capability.is_granted("read", ["read"], ["read"])
	capability.is_granted("read", [], ["read"]) == false
	capability.is_granted("read", ["read"], []) == false
	capability.is_granted("read", null, ["read"]) == false
	capability.is_granted(null, [null], [null]) == false
}

test_what_is_granted if {
	capability.granted(["read", "write"], {"write", "delete"}) == {"write"}
	capability.granted(["read"], null) == set()
	capability.granted(null, ["read"]) == set()
}

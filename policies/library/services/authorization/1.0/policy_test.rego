package services.authorization_test

import data.services.authorization

request(roles, action, resource) := {
	"subject": {"id": "alice", "roles": roles},
	"action": action,
	"resource": resource,
}

document := {"type": "document", "id": "42", "owner": "bob"}

own_document := {"type": "document", "id": "42", "owner": "alice"}

document_of(asked) := found if found := authorization with input as asked

answer(asked) := {
	"allow": got.allow,
	"codes": {denial.code | some denial in got.deny},
	"roles": got.roles,
	"permitted_by": got.permitted_by,
} if {
	got := document_of(asked)
}

answer_with(asked, roles, bindings) := found if {
	found := answer(asked) with data.roles as roles with data.bindings as bindings
}

failing(cases, allow, codes) := {name |
	some name, asked in cases
	got := answer(asked)
	[got.allow, got.codes] != [allow, codes]
}

test_what_the_shipped_roles_permit if {
	cases := {
		"a viewer reads": request(["viewer"], "read", document),
		"a viewer lists": request(["viewer"], "list", {"type": "folder"}),
		"an author reads, as a viewer": request(["author"], "read", document),
		"an author updates an own document": request(["author"], "update", own_document),
		"an editor updates any": request(["editor"], "update", document),
		"an editor reads, two roles down": request(["editor"], "read", document),
		"an editor deletes an own document, one role down": request(["editor"], "delete", own_document),
		"an auditor reads the log": request(["auditor"], "read", {"type": "audit_log"}),
		"an administrator does anything": request(["administrator"], "launch", {"type": "rocket"}),
		"the second role permits": request(["viewer", "editor"], "publish", document),
		"an unknown role does no harm": request(["unknown", "viewer"], "read", document),
		"by a binding": {"subject": {"id": "service:backup"}, "action": "read", "resource": {"type": "audit_log"}},
	}
	failing(cases, true, set()) == set()
}

test_what_no_role_permits if {
	cases := {
		"no roles": request([], "read", document),
		"an unknown role": request(["unknown"], "read", document),
		"another action": request(["viewer"], "update", document),
		"another type": request(["viewer"], "read", {"type": "audit_log"}),
		"the document of another": request(["author"], "update", document),
		"a document of nobody": request(["author"], "update", {"type": "document"}),
		"a document of null": request(["author"], "update", {"type": "document", "owner": null}),
		"no subject that could own": {
			"subject": {"roles": ["author"]},
			"action": "update",
			"resource": {"type": "document"},
		},
		"nobody owns what nobody owns": {
			"subject": {"id": "", "roles": ["author"]},
			"action": "update",
			"resource": {"type": "document", "owner": ""},
		},
		"inheritance goes down only": request(["viewer"], "publish", document),
		"a star is not an action": request(["viewer"], "*", document),
		"a star is not a type": request(["viewer"], "read", {"type": "*"}),
		"another case": request(["Viewer"], "read", document),
		"roles that are no names": request([null, 7, {}, ["viewer"]], "read", document),
		"no roles at all": {"subject": {"id": "alice"}, "action": "read", "resource": document},
		"an id that is no name": {"subject": {"id": 7}, "action": "read", "resource": document},
	}
	failing(cases, false, {"AUTHORIZATION.NOT_PERMITTED"}) == set()
}

test_a_denial_overrides if {
	cases := {
		"the role's own permission": request(["administrator"], "delete", {"type": "audit_log"}),
		"another role's permission": request(["editor", "auditor"], "update", document),
		"a permission for owners": request(["author", "auditor"], "update", own_document),
		"in any order": request(["auditor", "editor"], "update", document),
	}
	failing(cases, false, {"AUTHORIZATION.FORBIDDEN"}) == set()
	answer(request(["administrator"], "delete", {"type": "audit_log"})).permitted_by == {"administrator"}
	answer(request(["auditor"], "update", document)).codes == {"AUTHORIZATION.FORBIDDEN", "AUTHORIZATION.NOT_PERMITTED"}
}

test_inherited_denials_hold if {
	roles := {
		"base": {"denials": [{"actions": ["delete"], "resources": ["*"]}]},
		"all": {"inherits": ["base"], "permissions": [{"actions": ["*"], "resources": ["*"]}]},
	}
	answer_with(request(["all"], "delete", document), roles, {}).codes == {"AUTHORIZATION.FORBIDDEN"}
	answer_with(request(["all"], "read", document), roles, {}).allow == true
}

test_denials_about_owned_resources if {
	roles := {"approver": {
		"permissions": [{"actions": ["approve"], "resources": ["document"]}],
		"denials": [{"actions": ["approve"], "resources": ["document"], "owned": true}],
	}}
	answer_with(request(["approver"], "approve", document), roles, {}).allow == true
	answer_with(request(["approver"], "approve", own_document), roles, {}).codes == {"AUTHORIZATION.FORBIDDEN"}

	# Whose it is has to be known before it can be another's.
	every resource in [
		{"type": "document"},
		{"type": "document", "owner": null},
		{"type": "document", "owner": ""},
	] {
		answer_with(request(["approver"], "approve", resource), roles, {}).codes == {"AUTHORIZATION.FORBIDDEN"}
	}
	every subject in [{"roles": ["approver"]}, {"id": "", "roles": ["approver"]}, {"id": null, "roles": ["approver"]}] {
		asked := {"subject": subject, "action": "approve", "resource": document}
		answer_with(asked, roles, {}).codes == {"AUTHORIZATION.FORBIDDEN"}
	}
}

test_roles_may_inherit_in_circles if {
	roles := {
		"a": {"inherits": ["b"]},
		"b": {"inherits": ["c", "b"]},
		"c": {"inherits": ["a", "missing"], "permissions": [{"actions": ["read"], "resources": ["document"]}]},
	}
	got := answer_with(request(["a"], "read", document), roles, {})
	got.allow == true
	got.roles == {"a", "b", "c"}
	got.permitted_by == {"c"}
}

test_bindings_add_to_the_roles_of_the_subject if {
	roles := {"a": {}, "b": {}}
	bindings := {"alice": ["b"], "bob": ["a"]}
	answer_with(request(["a"], "read", document), roles, bindings).roles == {"a", "b"}
	answer_with(request([], "read", document), roles, bindings).roles == {"b"}
	answer_with(request(["a"], "read", document), roles, {}).roles == {"a"}
	answer_with(request(["a"], "read", document), roles, {"alice": null}).roles == {"a"}
	answer_with(request(["a"], "read", document), roles, null).roles == {"a"}
}

test_data_of_another_shape_permits_nothing if {
	statements := [
		null,
		"*",
		{},
		[null],
		["*"],
		[{}],
		[{"actions": ["read"]}],
		[{"resources": ["document"]}],
		[{"actions": null, "resources": null}],
		[{"actions": "read", "resources": "document"}],
		[{"actions": ["read"], "resources": ["document"], "owned": "yes"}],
	]
	{statement |
		some statement in statements
		answer_with(request(["a"], "read", own_document), {"a": {"permissions": statement}}, {}).allow != false
	} == set()
	every roles in [{"a": null}, {"a": []}, {"a": "b"}, {"a": {"inherits": "b"}}, {}, [], null] {
		answer_with(request(["a"], "read", document), roles, {}).codes == {"AUTHORIZATION.NOT_PERMITTED"}
	}
}

test_input_of_another_shape_is_invalid if {
	good := request(["administrator"], "read", document)
	cases := {
		"no subject": object.remove(good, ["subject"]),
		"a subject that is a name": object.union(good, {"subject": "alice"}),
		"roles that are a name": object.union(good, {"subject": {"roles": "administrator"}}),
		"roles that are null": object.union(good, {"subject": {"roles": null}}),
		"roles that are an object": {"subject": {"roles": {"a": "administrator"}}, "action": "read", "resource": document},
		"no action": object.remove(good, ["action"]),
		"an empty action": object.union(good, {"action": ""}),
		"a list of actions": object.union(good, {"action": ["read"]}),
		"no resource": object.remove(good, ["resource"]),
		"a resource that is a name": object.union(good, {"resource": "document"}),
		"a resource without a type": object.union(good, {"resource": {"type": null}}),
		"nothing": {},
		"null": null,
		"a list": [],
		"text": "read",
	}
	{name |
		some name, asked in cases
		got := answer(asked)
		not is_invalid(got)
	} == set()
}

is_invalid(got) if {
	got.allow == false
	"AUTHORIZATION.INPUT_INVALID" in got.codes
}

test_without_input_nothing_is_allowed if {
	authorization.allow == false
	{denial.path | some denial in authorization.deny} == {"subject", "action", "resource.type"}
	document_of(object.remove(request([], "read", document), ["action"])).deny == {{
		"msg": "the input has no valid action",
		"code": "AUTHORIZATION.INPUT_INVALID",
		"severity": "high",
		"path": "action",
		"remedy": "send {subject: {id, roles: []}, action, resource: {type, id, owner}}",
	}}
}

test_the_whole_document if {
	document_of(request(["author", "auditor"], "update", document)) == {
		"allow": false,
		"roles": {"author", "auditor", "viewer"},
		"permitted_by": set(),
		"deny": {
			{
				"msg": "the role \"auditor\" forbids \"alice\" to update document \"42\"",
				"code": "AUTHORIZATION.FORBIDDEN",
				"severity": "high",
				"remedy": "act without the role \"auditor\"",
				"details": {"role": "auditor"},
			},
			{
				"msg": "no role lets \"alice\" update document \"42\"",
				"code": "AUTHORIZATION.NOT_PERMITTED",
				"severity": "medium",
				"remedy": "ask for a role that permits it",
				"details": {"roles": {"author", "auditor", "viewer"}},
			},
		},
	}
	document_of({"subject": {"id": ""}, "action": "read", "resource": {"type": "document"}}).deny == {{
		"msg": "no role lets the subject read document",
		"code": "AUTHORIZATION.NOT_PERMITTED",
		"severity": "medium",
		"remedy": "ask for a role that permits it",
		"details": {"roles": set()},
	}}
}

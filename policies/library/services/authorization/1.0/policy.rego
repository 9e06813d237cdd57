# METADATA
# title: Role-based authorisation
# description: |
#   Answers whether a subject may do something to a resource. The input is
#     {"subject": {"id": "alice", "roles": ["author"]}, "action": "update",
#      "resource": {"type": "document", "id": "42", "owner": "alice"}}
#   and comes from a service that knows who the subject is and which roles it has.
#   What roles inherit, permit and deny is in `data.roles`; `data.bindings` gives further roles by the subject's id. A
#   statement names actions and types of resources, `*` being all of them; with `owned` it is about resources of the
#   subject's own. What no role permits is refused, and what one role denies is refused whatever the others permit. A
#   denial about owned resources holds, too, where the owner is not known. Roles may inherit in circles.
package services.authorization

import data.lib.field

default allow := false

allow if {
	count(permitted_by) > 0
	count(deny) == 0
}

deny contains {
	"msg": sprintf("the input has no valid %v", [place]),
	"code": "AUTHORIZATION.INPUT_INVALID",
	"severity": "high",
	"path": place,
	"remedy": "send {subject: {id, roles: []}, action, resource: {type, id, owner}}",
} if {
	some place, valid in {
		"subject": [subject | subject := input.subject; is_object(subject)],
		"subject.roles": array.concat(
			[none | none := true; not input.subject.roles],
			[roles_of_subject | roles_of_subject := input.subject.roles; is_array(roles_of_subject)],
		),
		"action": [action | action := input.action; is_name(action)],
		"resource.type": [type | type := input.resource.type; is_name(type)],
	}
	count(valid) == 0
}

deny contains {
	"msg": sprintf("no role lets %v %v", [subject_title(input.subject), request_title]),
	"code": "AUTHORIZATION.NOT_PERMITTED",
	"severity": "medium",
	"remedy": "ask for a role that permits it",
	"details": {"roles": roles},
} if {
	request_title := title(input.action, input.resource)
	count(permitted_by) == 0
}

deny contains {
	"msg": sprintf("the role \"%v\" forbids %v to %v", [role, subject_title(input.subject), request_title]),
	"code": "AUTHORIZATION.FORBIDDEN",
	"severity": "high",
	"remedy": sprintf("act without the role \"%v\"", [role]),
	"details": {"role": role},
} if {
	request_title := title(input.action, input.resource)
	some role in roles
	some statement in field.list_of(data.roles[role], "denials")
	matches(statement)
	not is_about_others(statement)
}

# The roles that permit the request.
permitted_by contains role if {
	some role in roles
	some statement in field.list_of(data.roles[role], "permissions")
	matches(statement)
	permits_owner(statement)
}

# The roles that the subject has, and those that they inherit.
roles contains role if {
	inherited := {name: field.list_of(definition, "inherits") |
		is_object(data.roles)
		some name, definition in data.roles
	}
	claimed := {name | some name in field.list_of(input.subject, "roles")}
	bound := {name | some name in field.list_of(data.bindings, input.subject.id)}
	some role in graph.reachable(inherited, claimed | bound)
}

matches(statement) if {
	covers(statement.actions, input.action)
	covers(statement.resources, input.resource.type)
}

covers(names, _) if "*" in names

covers(names, name) if name in names

permits_owner(statement) if object.get(statement, "owned", false) == false

permits_owner(statement) if {
	statement.owned == true
	is_name(input.subject.id)
	input.subject.id == input.resource.owner
}

is_about_others(statement) if {
	object.get(statement, "owned", false) != false
	is_name(input.subject.id)
	is_name(input.resource.owner)
	input.subject.id != input.resource.owner
}

is_name(value) if {
	is_string(value)
	value != ""
}

subject_title(subject) := sprintf("\"%v\"", [subject.id]) if {
	is_name(subject.id)
} else := "the subject"

title(action, resource) := sprintf("%v %v \"%v\"", [action, resource.type, resource.id]) if {
	is_name(action)
	is_name(resource.type)
	resource.id
} else := sprintf("%v %v", [action, resource.type]) if {
	is_name(action)
	is_name(resource.type)
}

# METADATA
# title: Capability gates
# description: |
#   A thing (a package, a plug-in, an agent) declares what it may come to need, a policy approves some of that, and a
#   request asks for what it needs now. What is requested must have been declared by the thing and approved by the policy:
#   approval of what was never declared is no permission, and neither is a declaration.
#
#   Capabilities are texts and compared whole; lists of them are arrays or sets. A declaration or an approval that cannot
#   be read is none, and a request that cannot be read is refused.
package lib.capability

# METADATA
# scope: document
# title: Why a request is refused
# description: |
#   A set of denials, empty where everything that is requested is granted; `deny contains denial if some denial in
#   capability.denials(requested, declared, approved)`. The codes are `CAPABILITY.NOT_DECLARED`,
#   `CAPABILITY.NOT_APPROVED` and `CAPABILITY.MALFORMED`.
denials(requested, declared, approved) := not_declared | not_approved if {
	is_valid(requested)
	not_declared := {denial |
		some name in requested
		not includes(declared, name)
		denial := {
			"msg": sprintf("the capability %q is requested and was not declared", [name]),
			"code": "CAPABILITY.NOT_DECLARED",
			"severity": "high",
			"remedy": sprintf("declare %q, or do without it", [name]),
			"details": {"capability": name},
		}
	}
	not_approved := {denial |
		some name in requested
		not includes(approved, name)
		denial := {
			"msg": sprintf("the capability %q is requested and was not approved", [name]),
			"code": "CAPABILITY.NOT_APPROVED",
			"severity": "high",
			"remedy": sprintf("have %q approved, or do without it", [name]),
			"details": {"capability": name},
		}
	}
} else := {{
	"msg": "the requested capabilities are not a list of names",
	"code": "CAPABILITY.MALFORMED",
	"severity": "high",
	"remedy": "request a list of names, which may be empty",
	"details": {"requested": requested},
}}

# METADATA
# scope: document
# title: Whether one capability is granted
# description: It is declared and approved.
default is_granted(_, _, _) := false

is_granted(name, declared, approved) if {
	includes(declared, name)
	includes(approved, name)
}

# METADATA
# scope: document
# title: What is granted
# description: The set of capabilities that are declared and approved, whether they are requested or not.
granted(declared, approved) := {name |
	is_valid(declared)
	some name in declared
	is_granted(name, declared, approved)
}

# METADATA
# scope: document
# title: Whether a value is a list of capabilities
# description: An array or a set of texts that are not empty.
default is_valid(_) := false

is_valid(names) if {
	type_name(names) in {"array", "set"}
	every name in names {
		is_string(name)
		name != ""
	}
}

includes(names, name) if {
	is_valid(names)
	name in names
}

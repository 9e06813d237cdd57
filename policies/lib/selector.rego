# METADATA
# title: Labels and selectors
# description: |
#   Label selectors as the API server reads them: `matchLabels` and `matchExpressions` all hold, `{}` selects everything,
#   and `null` nothing.
#
#   What is not a selector neither matches nor excludes. Where a selector says what a policy is about, the policy also
#   refuses what `not selector.is_valid(chosen)`.
package lib.selector

import data.lib.field

# METADATA
# scope: document
# title: The labels of an object
# description: "`metadata.labels`, or `{}` where there are none."
labels(object) := field.object_of(field.object_of(object, "metadata"), "labels")

# METADATA
# scope: document
# title: Whether a selector selects what has these labels
# description: False for what is not a selector. Labels that are no object are none.
default matches(_, _) := false

matches(selector, candidate) if {
	is_valid(selector)
	selector != null
	present := object_or_empty(candidate)
	every key, value in field.object_of(selector, "matchLabels") {
		present[key] == value
	}
	every requirement in field.list_of(selector, "matchExpressions") {
		holds(requirement, present)
	}
}

# METADATA
# scope: document
# title: Whether a selector leaves out what has these labels
# description: False, too, for what is not a selector.
default excludes(_, _) := false

excludes(selector, candidate) if {
	is_valid(selector)
	not matches(selector, candidate)
}

# METADATA
# scope: document
# title: Whether a value is a selector
# description: |
#   `null`, or an object with `matchLabels`, `matchExpressions` or neither, in which every expression has an operator
#   that is known (`In`, `NotIn`, `Exists`, `DoesNotExist`) and the values that it needs.
default is_valid(_) := false

is_valid(null)

is_valid(selector) if {
	is_object(selector)
	object.keys(selector) - {"matchLabels", "matchExpressions"} == set()
	type_name(object.get(selector, "matchLabels", null)) in {"null", "object"}
	type_name(object.get(selector, "matchExpressions", null)) in {"null", "array"}
	every value in field.object_of(selector, "matchLabels") {
		is_string(value)
	}
	every requirement in field.list_of(selector, "matchExpressions") {
		is_requirement(requirement)
	}
}

is_requirement(requirement) if {
	requirement.operator in {"In", "NotIn"}
	is_string(requirement.key)
	is_array(requirement.values)
	requirement.values != []
	every value in requirement.values {
		is_string(value)
	}
}

is_requirement(requirement) if {
	requirement.operator in {"Exists", "DoesNotExist"}
	is_string(requirement.key)
	object.get(requirement, "values", null) in {null, []}
}

holds(requirement, candidate) if {
	requirement.operator == "In"
	candidate[requirement.key] in requirement.values
}

# What is not there is not among the values.
holds(requirement, candidate) if {
	requirement.operator == "NotIn"
	count([value | value := candidate[requirement.key]; value in requirement.values]) == 0
}

holds(requirement, candidate) if {
	requirement.operator == "Exists"
	requirement.key in object.keys(candidate)
}

holds(requirement, candidate) if {
	requirement.operator == "DoesNotExist"
	not requirement.key in object.keys(candidate)
}

object_or_empty(candidate) := candidate if {
	is_object(candidate)
} else := {}

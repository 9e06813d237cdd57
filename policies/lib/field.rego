# METADATA
# title: Fields of documents that may be anything
# description: |
#   What a policy judges can have any shape: a `spec` that is a text, a list that is `null`. These functions read a field
#   as what it should be, and as an empty one where it is not, so that a rule goes on to what else there is.
package lib.field

# METADATA
# scope: document
# title: A field that should be an array
# description: "`[]` where it is not there or is something else."
list_of(owner, name) := owner[name] if {
	is_array(owner[name])
} else := []

# METADATA
# scope: document
# title: A field that should be an object
# description: "`{}` where it is not there or is something else."
object_of(owner, name) := owner[name] if {
	is_object(owner[name])
} else := {}

# METADATA
# scope: document
# title: A field that should be a text
# description: The empty text where it is not there or is something else.
text_of(owner, name) := owner[name] if {
	is_string(owner[name])
} else := ""

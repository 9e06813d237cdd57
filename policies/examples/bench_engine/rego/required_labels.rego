package bench

message(parameters, default_message) = message {
	message := parameters.message
}

message(parameters, default_message) = default_message {
	not parameters.message
}

violation[{"msg": msg, "details": {"missing_labels": missing}}] {
	provided := {label | input.review.object.metadata.labels[label]}
	required := {label | label := input.parameters.labels[_].key}
	missing := required - provided
	count(missing) > 0
	default_message := sprintf("you must provide labels: %v", [missing])
	msg := message(input.parameters, default_message)
}

violation[{"msg": msg}] {
	value := input.review.object.metadata.labels[key]
	expected := input.parameters.labels[_]
	expected.key == key
	expected.allowedRegex != ""
	not regex.match(expected.allowedRegex, value)
	default_message := sprintf("label <%v: %v> does not satisfy %v", [key, value, expected.allowedRegex])
	msg := message(input.parameters, default_message)
}

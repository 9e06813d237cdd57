package lib.field_test

import data.lib.field

test_a_field_as_it_should_be if {
	field.list_of({"x": [1]}, "x") == [1]
	field.object_of({"x": {"y": 1}}, "x") == {"y": 1}
	field.text_of({"x": "y"}, "x") == "y"
}

test_a_field_that_is_something_else if {
	every value in [null, false, 0, "", [], {}, set(), "a", {"a"}] {
		is_array(field.list_of({"x": value}, "x"))
		is_object(field.object_of({"x": value}, "x"))
		is_string(field.text_of({"x": value}, "x"))
	}
}

test_a_field_of_nothing if {
	every owner in [null, false, 1, "x", ["x"], {}] {
		field.list_of(owner, "x") == []
		field.object_of(owner, "x") == {}
		field.text_of(owner, "x") == ""
	}
}

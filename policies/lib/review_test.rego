package lib.review_test

import data.lib.review

test_an_object_is_there if {
	every operation in ["CREATE", "UPDATE"] {
		review.lacks_object == false with input as {"request": {"operation": operation, "object": {}}}
	}
}

test_an_object_is_not_there if {
	every request in [{"operation": "CREATE"}, {"operation": "UPDATE", "object": null}, {"object": "pod"}, {}, null, []] {
		review.lacks_object with input as {"request": request}
	}
	every asked in [null, {}, [], "request"] {
		review.lacks_object with input as asked
	}
	review.lacks_object
}

test_what_has_no_object if {
	every operation in ["DELETE", "CONNECT"] {
		review.lacks_object == false with input as {"request": {"operation": operation, "object": null}}
	}
}

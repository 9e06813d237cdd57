package shop.discount_test

import data.shop.discount

test_within_the_limit if discount.allow with input as {"role": "clerk", "percent": 5}

test_limits[role] if {
	some role, percent in {"clerk": 11, "manager": 20}
	print("asking for", percent)
	count(discount.deny) == 1 with input as {"role": role, "percent": percent}
}

todo_test_guests if false

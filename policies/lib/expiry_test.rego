package lib.expiry_test

import data.lib.expiry

# 2026-06-15T12:00:00Z
now := 1781524800000000000

moments := {
	"past": ["2026-06-15T11:59:59Z", "2026-06-15T12:00:00Z", "2026-06-15", "2026-01-01", "2026-06-15T13:00:00+02:00", 0, now],
	"future": ["2026-06-15T12:00:00.000000001Z", "2026-06-16", "2262-04-11", "2026-06-15T11:00:00-02:00", now + 1],
	"none": [
		"",
		"never",
		"2026",
		"2026-6-1",
		"2026-13-01",
		"2026-02-30",
		"01.06.2026",
		"2026-06-15T12:00:00",
		"2026-06-15 ",
		"2999-01-01",
		"1781524800000000001",
		1.5,
		null,
		true,
		[],
		{},
	],
}

test_past_moments if {
	every moment in moments.past {
		expiry.is_expired(moment) == true with time.now_ns as now
		expiry.is_in_force(moment) == false with time.now_ns as now
		expiry.is_valid(moment)
	}
}

test_future_moments if {
	every moment in moments.future {
		expiry.is_expired(moment) == false with time.now_ns as now
		expiry.is_in_force(moment) == true with time.now_ns as now
		expiry.is_valid(moment)
	}
}

test_what_is_no_moment_has_expired if {
	every moment in moments.none {
		expiry.is_expired(moment) == true with time.now_ns as now
		expiry.is_in_force(moment) == false with time.now_ns as now
		expiry.is_valid(moment) == false
	}
	[moment | some moment in moments.none; expiry.expire_at(moment)] == []
}

test_moments_in_nanoseconds if {
	expiry.expire_at("2026-06-15T12:00:00Z") == now
	expiry.expire_at("1970-01-02") == 86400000000000
	expiry.expire_at(12) == 12
}

test_periods if {
	periods := {
		"90d": 7776000000000000,
		"1d": 86400000000000,
		"01d": 86400000000000,
		"1.5d": 129600000000000,
		"1y": 31536000000000000,
		"0d": 0,
		"2w": 1209600000000000,
		"1w1d": 691200000000000,
		"1d1w": 691200000000000,
		"1d12h": 129600000000000,
		"1d1.5h": 91800000000000,
		"30m": 1800000000000,
		"1h30m": 5400000000000,
		"0": 0,
		"1ns": 1,
	}
	[text | some text, length in periods; not expiry.period(text) == length] == []
	[text | some text, _ in periods; not expiry.is_valid_period(text)] == []
}

test_texts_that_are_no_periods if {
	texts := ["", "d", "90", "-1d", "-1h", "1d-1h", "1 d", "1d ", "1d\n", "1D", "999999d", 90, null, []]
	[text | some text in texts; expiry.period(text)] == []
	[text | some text in texts; expiry.is_valid_period(text) != false] == []
}

test_so_long_after if {
	expiry.expire_after("2026-06-01", "2w") == expiry.expire_at("2026-06-15")
	expiry.is_expired_after("2026-06-01", "14d") == true with time.now_ns as now
	expiry.is_expired_after("2026-06-01", "14d12h") == true with time.now_ns as now
	expiry.is_expired_after("2026-06-01", "14d12h1ns") == false with time.now_ns as now
	expiry.is_expired_after("2026-06-01", "15d") == false with time.now_ns as now
}

test_what_cannot_be_read_has_expired if {
	expiry.is_expired_after("2026-06-01", "a year") == true with time.now_ns as now
	expiry.is_expired_after("yesterday", "90d") == true with time.now_ns as now
	expiry.is_expired_after(null, null) == true with time.now_ns as now
	not expiry.expire_after("yesterday", "90d")
}

test_days_left if {
	expiry.days_left("2026-06-16") == 0 with time.now_ns as now
	expiry.days_left("2026-06-17T12:00:00Z") == 2 with time.now_ns as now
	expiry.days_left("2026-06-15") == 0 with time.now_ns as now
	not expiry.days_left("never")
}

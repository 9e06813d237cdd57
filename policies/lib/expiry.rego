# METADATA
# title: Expiry
# description: |
#   Exceptions, credentials and approvals that end: at a moment, or some time after they were granted. Now is the
#   request's clock, `time.now_ns()`.
#
#   Moments are RFC 3339 (`2026-12-01T00:00:00Z`), days (`2026-12-01`, from its beginning in UTC) or nanoseconds since
#   1970, between 1678 and 2262. Periods are those of `time.parse_duration_ns`: `90d`, `2w`, `1y` (365 days), `1d12h`.
#
#   What cannot be read has expired.
package lib.expiry

# METADATA
# scope: document
# title: Whether a moment has come
# description: True for what is no moment, too.
default is_expired(_) := true

is_expired(moment) := false if is_in_force(moment)

# METADATA
# scope: document
# title: Whether so long has passed since a moment
# description: True for what is no moment or no period, too.
default is_expired_after(_, _) := true

is_expired_after(start, length) := false if is_in_force(expire_after(start, length))

# METADATA
# scope: document
# title: Whether a moment is still to come
# description: False for what is no moment, too.
default is_in_force(_) := false

is_in_force(moment) if time.now_ns() < expire_at(moment)

# METADATA
# scope: document
# title: A moment, in nanoseconds since 1970
# description: Undefined for what is no moment.
expire_at(moment) := moment if {
	is_number(moment)
	moment == floor(moment)
}

expire_at(moment) := time.parse_rfc3339_ns(moment)

expire_at(moment) := time.parse_ns("2006-01-02", moment)

# METADATA
# scope: document
# title: The moment so long after another, in nanoseconds since 1970
# description: Undefined for what is no moment or no period.
expire_after(start, length) := expire_at(start) + period(length)

# METADATA
# scope: document
# title: Whole days until a moment
# description: Rounded down, and 0 once it has come. Undefined for what is no moment.
days_left(moment) := (left - (left % day)) / day if left := max([expire_at(moment) - time.now_ns(), 0])

# METADATA
# scope: document
# title: The length of a period in nanoseconds
# description: Undefined for what is no period. There are no negative ones.
period(text) := length if {
	length := time.parse_duration_ns(text)
	length >= 0
}

# METADATA
# scope: document
# title: Whether a value is a moment
default is_valid(_) := false

is_valid(moment) if is_number(expire_at(moment))

# METADATA
# scope: document
# title: Whether a value is a period
default is_valid_period(_) := false

is_valid_period(text) if is_number(period(text))

day := 86400000000000

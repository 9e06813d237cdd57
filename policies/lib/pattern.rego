# METADATA
# title: Anchored patterns
# description: |
#   Patterns that match a whole text or do not match. `regex.match("prod", namespace)` also holds for `not-prod-at-all`;
#   `pattern.matches("prod", namespace)` does not.
#
#   A pattern that cannot be read matches nothing. Where a pattern says what is refused, a policy also refuses what
#   `not pattern.is_valid(expression)` or `not pattern.is_valid_glob(glob)`.
package lib.pattern

# METADATA
# scope: document
# title: Whether a regular expression matches a whole text
# description: |
#   The expression is RE2. False for an expression or a text that is none.
default matches(_, _) := false

matches(expression, text) if {
	regex.is_valid(expression)
	regex.match(anchored(expression), text)
}

# METADATA
# scope: document
# title: Whether one of several regular expressions matches a whole text
# description: The expressions are an array or a set.
default matches_any(_, _) := false

matches_any(expressions, text) if {
	some expression in expressions
	matches(expression, text)
}

# METADATA
# scope: document
# title: Whether a text is a regular expression that can match
default is_valid(_) := false

is_valid(expression) if {
	regex.is_valid(expression)
	regex.is_valid(anchored(expression))
}

# METADATA
# scope: document
# title: Whether a glob matches a whole path
# description: |
#   Of segments between slashes: `*` is anything within a segment, `**` any number of segments, `?` one character,
#   `[a-z]` one of them, `{a,b}` one of these. False for a glob or a path that is none.
default glob_matches(_, _) := false

glob_matches(pattern, path) if glob.match(pattern, ["/"], path)

# METADATA
# scope: document
# title: Whether one of several globs matches a whole path
# description: The globs are an array or a set.
default glob_matches_any(_, _) := false

glob_matches_any(globs, path) if {
	some pattern in globs
	glob_matches(pattern, path)
}

# METADATA
# scope: document
# title: Whether a text is in a list, whose entries may be beginnings
# description: |
#   An entry is a text, or the beginning of one with `*` behind it. Nothing else in it has a meaning. The entries are an
#   array or a set. False for what is no text and not in the list.
default is_listed(_, _) := false

is_listed(text, entries) if text in entries

is_listed(text, entries) if {
	some entry in entries
	endswith(entry, "*")
	startswith(text, trim_suffix(entry, "*"))
}

# METADATA
# scope: document
# title: Whether a text is a glob
default is_valid_glob(_) := false

is_valid_glob(pattern) if is_boolean(glob.match(pattern, ["/"], ""))

# An expression is valid by itself before it gets here, so none can close the group and leave the anchors.
anchored(expression) := sprintf(`\A(?:%s)\z`, [expression])

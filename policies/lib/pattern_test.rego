package lib.pattern_test

import data.lib.pattern

test_a_pattern_matches_the_whole_text if {
	pattern.matches("prod", "prod")
	pattern.matches("prod|staging", "staging")
	pattern.matches("team-[a-z]+", "team-web")
	pattern.matches("^team-[a-z]+$", "team-web")
	pattern.matches(".*", "")
	pattern.matches(`\Qa.b\E`, "a.b")
	pattern.matches("(?i)prod", "PROD")
}

test_a_pattern_does_not_match_a_part if {
	every case in [
		["prod", "not-prod"],
		["prod", "prod-2"],
		["prod", "prod\n"],
		["prod", "\nprod"],
		["prod|staging", "production"],
		["prod|staging", "my-staging"],
		["(?m)prod", "prod\nevil"],
		["(?m)^prod$", "evil\nprod\nevil"],
		[".*", "a\nb"],
	] {
		pattern.matches(case[0], case[1]) == false
	}
}

# `^(?:a)|(?:b)$` would match whatever begins with `a`.
test_a_pattern_cannot_leave_its_anchors if {
	every expression in ["a)|(?:b", "a)|(b", "(", ")", "[", "*", "a{2", `\`, "(?<x", `\Qa`] {
		pattern.matches(expression, "a, and more") == false
	}
	every expression in ["a)|(?:b", "(", ")", "[", "*", `\`, "(?<x", `\Qa`, 1, null, ["a"]] {
		pattern.is_valid(expression) == false
	}
}

test_what_is_no_text_does_not_match if {
	pattern.matches(".*", 1) == false
	pattern.matches(".*", null) == false
	pattern.matches(1, "1") == false
}

test_one_of_several if {
	pattern.matches_any(["a", "b"], "b")
	pattern.matches_any({"a", "b"}, "b")
	pattern.matches_any(["(", "b"], "b")
	pattern.matches_any(["a", "b"], "c") == false
	pattern.matches_any([], "c") == false
	pattern.matches_any("c", "c") == false
	pattern.matches_any(null, "c") == false
}

test_valid_patterns if {
	pattern.is_valid("a|b")
	pattern.is_valid("")
	pattern.is_valid(`\Qa\E`)
}

test_globs if {
	every case in [
		["docker.io/library/*", "docker.io/library/nginx"],
		["docker.io/*/nginx", "docker.io/library/nginx"],
		["*.example.com/team/*", "registry.example.com/team/web"],
		["ghcr.io/acme/**", "ghcr.io/acme/team/web"],
		["**", "ghcr.io/acme/team/web"],
		["ghcr.io/{acme,other}/web", "ghcr.io/other/web"],
		["ghcr.io/acme/we?", "ghcr.io/acme/web"],
		["ghcr.io/acme/[a-w]eb", "ghcr.io/acme/web"],
		["ghcr.io/acme/web", "ghcr.io/acme/web"],
	] {
		pattern.glob_matches(case[0], case[1])
	}
}

test_globs_end_where_the_path_ends if {
	every case in [
		["docker.io/library/*", "docker.io/library/team/nginx"],
		["docker.io/library/*", "evil.io/docker.io/library/nginx"],
		["docker.io/library", "docker.io/library/nginx"],
		["ghcr.io/acme/**", "ghcr.io/acme-evil/web"],
		["ghcr.io/acme*", "ghcr.io/acme/web"],
		["ghcr.io/acme/we?", "ghcr.io/acme/we"],
		["ghcr.io/acme/?", "ghcr.io/acme//"],
		["ghcr.io/acme/web", "GHCR.io/acme/web"],
		["[", "["],
	] {
		pattern.glob_matches(case[0], case[1]) == false
	}
}

test_one_of_several_globs if {
	pattern.glob_matches_any(["a/*", "b/*"], "b/c")
	pattern.glob_matches_any({"a/*", "b/*"}, "b/c")
	pattern.glob_matches_any(["[", "b/*"], "b/c")
	pattern.glob_matches_any(["a/*"], "b/c") == false
	pattern.glob_matches_any(null, "b/c") == false
}

test_valid_globs if {
	pattern.is_valid_glob("docker.io/library/*")
	pattern.is_valid_glob("[") == false
	pattern.is_valid_glob(1) == false
	pattern.is_valid_glob(null) == false
}

test_a_text_in_a_list if {
	entries := ["ghcr.io/acme/proxy:*", "nginx", "a.c", ""]
	every text in ["ghcr.io/acme/proxy:1", "ghcr.io/acme/proxy:", "nginx", "a.c", ""] {
		pattern.is_listed(text, entries)
		pattern.is_listed(text, {entry | some entry in entries})
	}
	every text in ["ghcr.io/acme/proxy", "ghcr.io/acme/proxy-evil:1", "nginx:1", "abc", null, 7, ["nginx"]] {
		pattern.is_listed(text, entries) == false
	}
	pattern.is_listed("anything", ["*"])
	pattern.is_listed("a*b", ["a*b"])
	pattern.is_listed("axb", ["a*b"]) == false
}

test_lists_that_are_none if {
	every entries in [null, 7, "nginx", [], [null, 7, ["nginx"]]] {
		pattern.is_listed("nginx", entries) == false
	}
}

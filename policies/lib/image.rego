# METADATA
# title: Image references
# description: |
#   `[registry[:port]/]repository[:tag][@digest]`, as Docker and containerd read it (`github.com/distribution/reference`):
#   what is left out is `docker.io`, `library/` and `latest`. Registries are compared without regard to case, which these
#   do not; a registry with an underscore, which they take for a part of the path, is no reference here.
#
#   What is not a reference has no parts, and is neither pinned nor from anywhere. A policy that refuses images by their
#   parts also refuses what `not image.is_valid(reference)`.
package lib.image

import data.lib.pattern

# METADATA
# scope: document
# title: The parts of a reference
# description: |
#   An object with `registry`, `repository`, and `tag` and `digest` where there are any. Without tag and digest, the tag
#   is `latest`. Undefined for what is not a reference.
parse(reference) := object.union({"registry": host, "repository": repository}, version) if {
	is_string(reference)
	[host, rest] := located(reference)
	not regex.match(`^[a-f0-9]{64}$`, reference)
	[_, repository, tag, digest] := regex.find_all_string_submatch_n(rest_pattern, rest, 1)[0]
	regex.match(registry_pattern, host)
	count(repository) <= longest_repository
	is_digest(digest)
	version := versions(tag, digest)
}

# METADATA
# scope: document
# title: Whether a value is a reference
default is_valid(_) := false

is_valid(reference) if parse(reference)

# METADATA
# scope: document
# title: The registry of a reference
# description: With its port, in lower case. Undefined for what is not a reference, as all parts are.
registry(reference) := parse(reference).registry

# METADATA
# scope: document
# title: The repository of a reference within its registry
# description: "`library/nginx` for `nginx`."
repository(reference) := parse(reference).repository

# METADATA
# scope: document
# title: The tag of a reference
# description: "`latest` where it has neither tag nor digest, and undefined where it has a digest alone."
tag(reference) := parse(reference).tag

# METADATA
# scope: document
# title: The digest of a reference
# description: "With its algorithm, `sha256:…`. Undefined where there is none."
digest(reference) := parse(reference).digest

# METADATA
# scope: document
# title: Registry and repository of a reference
# description: "`docker.io/library/nginx` for `nginx:1.29`: what allow lists are compared with."
name(reference) := sprintf("%s/%s", [parts.registry, parts.repository]) if parts := parse(reference)

# METADATA
# scope: document
# title: A reference with everything that it leaves out
# description: "`docker.io/library/nginx:latest` for `nginx`. Two references with one full form name one image."
full(reference) := concat("", [name(reference), prefixed(":", parts, "tag"), prefixed("@", parts, "digest")]) if {
	parts := parse(reference)
}

# METADATA
# scope: document
# title: Whether a reference has a digest
# description: False for what is not a reference, too.
default is_pinned(_) := false

is_pinned(reference) if digest(reference)

# METADATA
# scope: document
# title: Whether a reference is from one of several places
# description: |
#   A place is a registry (`registry.example.com:5000`), an organisation (`ghcr.io/acme`) or a repository
#   (`docker.io/library/nginx`), and ends where a segment of the path does: `ghcr.io/acme` is not `ghcr.io/acme-evil`.
#   The places are an array or a set. False for what is not a reference, too.
default is_from(_, _) := false

is_from(reference, places) if {
	inner := sprintf("%s/", [name(reference)])
	some place in places
	startswith(inner, directory(place))
}

# METADATA
# scope: document
# title: Whether a reference is from a repository that one of several globs matches
# description: |
#   Globs are those of `lib.pattern`, for the whole of registry and repository: `*.example.com/team/**`. The globs are
#   an array or a set. False for what is not a reference, too.
default matches(_, _) := false

matches(reference, globs) if pattern.glob_matches_any(globs, name(reference))

# The registry, and everything behind it. What looks like a host before the first slash is one.
located(reference) := official(lower(host), rest) if {
	[host, rest] := split_once(reference)
	regex.match(`[.:A-Z]|^localhost$`, host)
} else := ["docker.io", reference] if {
	contains(reference, "/")
} else := official("docker.io", reference)

split_once(reference) := [substring(reference, 0, at), substring(reference, at + 1, -1)] if {
	at := indexof(reference, "/")
	at >= 0
}

# On Docker Hub, a single segment names an official image.
official(host, rest) := ["docker.io", sprintf("library/%s", [rest])] if {
	host in {"docker.io", "index.docker.io"}
	not contains(rest, "/")
} else := ["docker.io", rest] if {
	host == "index.docker.io"
} else := [host, rest]

registry_pattern := sprintf(`^(?:%[1]s(?:\.%[1]s)*|\[[a-f0-9:]+\])(?::[0-9]+)?$`, [label_pattern])

label_pattern := `(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])`

rest_pattern := sprintf(
	`^(%[1]s(?:/%[1]s)*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([a-z0-9]+:[a-f0-9]+))?$`,
	[`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`],
)

# Registries refuse longer ones.
longest_repository := 255

is_digest("")

is_digest(digest) if {
	[algorithm, encoded] := split(digest, ":")
	count(encoded) == {"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]
}

versions("", "") := {"tag": "latest"}

versions(tag, digest) := {key: part |
	some key, part in {"tag": tag, "digest": digest}
	part != ""
} if {
	concat("", [tag, digest]) != ""
}

prefixed(prefix, parts, key) := sprintf("%s%s", [prefix, parts[key]]) if {
	parts[key]
} else := ""

# `Docker.io/library/` is `docker.io/library/`, and so is it without the slash.
directory(place) := sprintf("%s/", [trim_right(lower(place), "/")]) if trim_right(place, "/") != ""

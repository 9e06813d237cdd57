package lib.image_test

import data.lib.image

sha256 := sprintf("sha256:%064x", [255])

sha384 := sprintf("sha384:%096x", [255])

sha512 := sprintf("sha512:%0128x", [255])

# What `reference.ParseNormalizedNamed` and `reference.TagNameOnly` of github.com/distribution/reference 0.6.0 make of
# each.
read := {
	"nginx": {"registry": "docker.io", "repository": "library/nginx", "tag": "latest"},
	"nginx:1.29": {"registry": "docker.io", "repository": "library/nginx", "tag": "1.29"},
	"library/nginx": {"registry": "docker.io", "repository": "library/nginx", "tag": "latest"},
	"acme/web": {"registry": "docker.io", "repository": "acme/web", "tag": "latest"},
	"docker.io/nginx": {"registry": "docker.io", "repository": "library/nginx", "tag": "latest"},
	"index.docker.io/nginx": {"registry": "docker.io", "repository": "library/nginx", "tag": "latest"},
	"index.docker.io/acme/web:1": {"registry": "docker.io", "repository": "acme/web", "tag": "1"},
	"ghcr.io/acme/team/web:v1": {"registry": "ghcr.io", "repository": "acme/team/web", "tag": "v1"},
	"localhost/web": {"registry": "localhost", "repository": "web", "tag": "latest"},
	"localhost:5000": {"registry": "docker.io", "repository": "library/localhost", "tag": "5000"},
	"localhost:5000/web": {"registry": "localhost:5000", "repository": "web", "tag": "latest"},
	"localhost:5000/web:1": {"registry": "localhost:5000", "repository": "web", "tag": "1"},
	"example.com": {"registry": "docker.io", "repository": "library/example.com", "tag": "latest"},
	"example.com/web": {"registry": "example.com", "repository": "web", "tag": "latest"},
	"EXAMPLE/web": {"registry": "example", "repository": "web", "tag": "latest"},
	"10.0.0.1/web": {"registry": "10.0.0.1", "repository": "web", "tag": "latest"},
	"[::1]:5000/web": {"registry": "[::1]:5000", "repository": "web", "tag": "latest"},
	"acme/a.b__c---d/e_f": {"registry": "docker.io", "repository": "acme/a.b__c---d/e_f", "tag": "latest"},
	"nginx:_A.b-C": {"registry": "docker.io", "repository": "library/nginx", "tag": "_A.b-C"},
	sprintf("nginx@%s", [sha256]): {"registry": "docker.io", "repository": "library/nginx", "digest": sha256},
	sprintf("nginx:1@%s", [sha256]): {
		"registry": "docker.io",
		"repository": "library/nginx",
		"tag": "1",
		"digest": sha256,
	},
	sprintf("a.io/b@%s", [sha384]): {"registry": "a.io", "repository": "b", "digest": sha384},
	sprintf("a.io/b@%s", [sha512]): {"registry": "a.io", "repository": "b", "digest": sha512},
}

refused := [
	"",
	" ",
	"nginx ",
	" nginx",
	"nginx\n",
	"Nginx",
	"acme/Web",
	"nginx:",
	"nginx:1:2",
	"nginx:-1",
	"nginx:.1",
	sprintf("nginx:%0129d", [0]),
	"/nginx",
	"nginx/",
	"ghcr.io//nginx",
	"ghcr.io/../nginx",
	"ghcr.io/acme/",
	"https://ghcr.io/acme/web",
	"user@ghcr.io/acme/web",
	"example.com:/web",
	"example..com/web",
	"-example.com/web",
	"[::1/web",
	"a___b",
	"-a",
	"a-",
	"nginx@",
	"nginx@sha256:12",
	sprintf("nginx@%s", [upper(sha256)]),
	sprintf("nginx@%s0", [sha256]),
	sprintf("nginx@%s@%s", [sha256, sha256]),
	sprintf("nginx@md5:%032x", [1]),
	sprintf("nginx@sha256:%063x", [1]),
	sprintf("%064x", [1]),
	sprintf("example.com/%0256d", [1]),
	"nginx?x",
	"nginx#x",
	"ngïnx",
	null,
	1,
	[],
	{},
]

# What differs from `reference`, which reads this as a repository without a registry.
stricter := ["a_b.io/web"]

test_references_are_read if {
	[reference | some reference, parts in read; not image.parse(reference) == parts] == []
	[reference | some reference, _ in read; not image.is_valid(reference)] == []
}

test_everything_else_is_no_reference if {
	[reference | some reference in array.concat(refused, stricter); image.parse(reference)] == []
	[reference | some reference in refused; image.is_valid(reference) != false] == []
	[reference | some reference in refused; image.is_pinned(reference) != false] == []
	[reference | some reference in refused; image.is_from(reference, ["docker.io", "ghcr.io"]) != false] == []
	[reference | some reference in refused; image.matches(reference, ["**"]) != false] == []
}

test_registries_have_no_case if {
	image.registry("GHCR.io/acme/web") == "ghcr.io"
	image.full("Docker.io/nginx") == "docker.io/library/nginx:latest"
}

test_parts if {
	reference := sprintf("localhost:5000/team/web:1.0@%s", [sha256])
	image.registry(reference) == "localhost:5000"
	image.repository(reference) == "team/web"
	image.tag(reference) == "1.0"
	image.digest(reference) == sha256
	image.name(reference) == "localhost:5000/team/web"
}

test_parts_that_are_not_there if {
	image.tag("nginx") == "latest"
	not image.tag(sprintf("nginx@%s", [sha256]))
	not image.digest("nginx:1.29")
}

test_full_forms if {
	image.full("nginx") == "docker.io/library/nginx:latest"
	image.full("nginx:1.29") == "docker.io/library/nginx:1.29"
	image.full(sprintf("nginx@%s", [sha256])) == sprintf("docker.io/library/nginx@%s", [sha256])
	image.full(sprintf("a.io/b:1@%s", [sha256])) == sprintf("a.io/b:1@%s", [sha256])
	not image.full("Nginx")
}

test_pinned if {
	image.is_pinned(sprintf("nginx@%s", [sha256]))
	image.is_pinned(sprintf("nginx:1.29@%s", [sha256]))
	image.is_pinned("nginx:1.29") == false
}

test_places if {
	every case in [
		["nginx", "docker.io"],
		["nginx", "docker.io/library"],
		["nginx", "docker.io/library/nginx"],
		["nginx", "Docker.io/library/"],
		["ghcr.io/acme/web:1", "ghcr.io/acme"],
		["ghcr.io/acme/team/web", "ghcr.io/acme/team"],
		["localhost:5000/web", "localhost:5000"],
	] {
		image.is_from(case[0], [case[1]])
		image.is_from(case[0], {"quay.io", case[1]})
	}
}

test_other_places if {
	every case in [
		["nginx", "library"],
		["nginx", "nginx"],
		["acme/web", "docker.io/library"],
		["ghcr.io/acme-evil/web", "ghcr.io/acme"],
		["ghcr.io/acme.evil/web", "ghcr.io/acme"],
		["ghcr.io/acme", "ghcr.io/acme/web"],
		["ghcr.io.evil.io/acme/web", "ghcr.io"],
		["evil.io/ghcr.io/acme/web", "ghcr.io/acme"],
		["ghcr.io:5000/acme/web", "ghcr.io"],
		["ghcr.io/acme/web", ""],
		["ghcr.io/acme/web", "/"],
		["ghcr.io/acme/web", "*"],
		["ghcr.io/acme/web", null],
	] {
		image.is_from(case[0], [case[1]]) == false
	}
	image.is_from("ghcr.io/acme/web", []) == false
	image.is_from("ghcr.io/acme/web", "ghcr.io") == false
	image.is_from("ghcr.io/acme/web", null) == false
}

test_globs if {
	image.matches("nginx", ["docker.io/library/*"])
	image.matches("ghcr.io/acme/team/web:1", {"ghcr.io/acme/**"})
	image.matches("ghcr.io/acme/team/web:1", ["ghcr.io/acme/*"]) == false
	image.matches("nginx:1.29", ["docker.io/library/nginx:*"]) == false
	image.matches("nginx", []) == false
	image.matches("nginx", null) == false
}

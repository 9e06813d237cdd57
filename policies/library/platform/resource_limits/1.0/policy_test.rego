package platform.resource_limits_test

import data.platform.resource_limits

review(target, parameters) := {"request": {"operation": "CREATE", "object": target}, "parameters": parameters}

update(old, target) := {"request": {"operation": "UPDATE", "oldObject": old, "object": target}}

pod(spec) := {"kind": "Pod", "metadata": {"name": "web"}, "spec": spec}

having(resources) := pod({"containers": [{"name": "web", "image": "nginx", "resources": resources}]})

good := {"limits": {"memory": "128Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}}

denials(request) := found if found := resource_limits.deny with input as request

codes(target, parameters) := {finding.code | some finding in denials(review(target, parameters))}

paths(target, parameters) := {finding.path | some finding in denials(review(target, parameters))}

messages(target, parameters) := {finding.msg | some finding in denials(review(target, parameters))}

# Whether a limit of this amount is within this maximum.
fits(amount, maximum) if {
	parameters := {"required": {"limits": [], "requests": []}, "max": {"limits": {"thing": maximum}}}
	codes(having({"limits": {"thing": amount}}), parameters) == set()
}

test_a_container_that_says_all_is_allowed if {
	codes(having(good), {}) == set()
	codes(having(object.union(good, {"limits": {"cpu": "1"}})), {}) == set()
	codes(having({"limits": {"memory": 134217728}, "requests": {"cpu": 0.1}}), {}) == set()
}

test_what_is_missing if {
	cases := {
		"nothing": {"resources": {}, "paths": {"limits.memory", "requests.cpu", "requests.memory"}},
		"null": {"resources": null, "paths": {"limits.memory", "requests.cpu", "requests.memory"}},
		"text": {"resources": "x", "paths": {"limits.memory", "requests.cpu", "requests.memory"}},
		"null lists": {
			"resources": {"limits": null, "requests": null},
			"paths": {"limits.memory", "requests.cpu", "requests.memory"},
		},
		"lists of another type": {
			"resources": {"limits": ["memory"], "requests": "cpu"},
			"paths": {"limits.memory", "requests.cpu", "requests.memory"},
		},
		"no limit": {"resources": {"requests": good.requests}, "paths": {"limits.memory"}},
		"no requests": {"resources": {"limits": good.limits}, "paths": {"requests.cpu"}},
		"a null amount": {
			"resources": object.union(good, {"limits": {"memory": null}}),
			"paths": {"limits.memory"},
		},
		"a limit of zero": {
			"resources": object.union(good, {"limits": {"memory": "0"}}),
			"paths": {"limits.memory"},
		},
		"other zeros": {
			"resources": {"limits": {"memory": "0Mi"}, "requests": {"cpu": "0.0", "memory": 0}},
			"paths": {"limits.memory", "requests.cpu", "requests.memory"},
		},
		"less than nothing": {
			"resources": object.union(good, {"limits": {"memory": "-1Gi"}}),
			"paths": {"limits.memory"},
		},
		"another resource": {
			"resources": object.union(good, {"limits": {"memory": "0", "cpu": "1"}}),
			"paths": {"limits.memory"},
		},
	}
	{name |
		some name, case in cases
		paths(having(case.resources), {}) != {sprintf("spec.containers[0].resources.%s", [path]) |
			some path in case.paths
		}
	} == set()
}

test_a_limit_is_its_own_request if {
	codes(having({"limits": {"memory": "1Gi", "cpu": "1"}}), {}) == set()
	codes(having({"limits": {"memory": "1Gi", "cpu": "1"}, "requests": {"cpu": "0"}}), {}) == set()
	codes(having({"requests": {"memory": "1Gi", "cpu": "1"}}), {}) == {"RESOURCES.NO_LIMIT"}
}

test_what_the_pod_sets_counts_for_its_containers if {
	codes(pod({"containers": [{"name": "web"}], "resources": good}), {}) == set()
	codes(pod({"containers": [{"name": "web", "resources": {"limits": {"memory": "0"}}}], "resources": good}), {}) == set()
	codes(pod({"containers": [{"name": "web"}], "resources": {"limits": good.limits}}), {}) == {"RESOURCES.NO_REQUEST"}
	codes(pod({"containers": [{"name": "web"}], "resources": null}), {}) == {"RESOURCES.NO_LIMIT", "RESOURCES.NO_REQUEST"}
	capped := {"max": {"limits": {"memory": "1Gi"}}}
	codes(pod({"containers": [{"name": "web"}], "resources": good}), capped) == set()
	codes(
		pod({"containers": [{"name": "web"}], "resources": object.union(good, {"limits": {"memory": "2Gi"}})}),
		capped,
	) == {"RESOURCES.ABOVE_MAXIMUM"}
}

test_the_whole_message if {
	denials(review(having({"requests": good.requests}), {})) == {{
		"msg": "container \"web\" has no memory limit",
		"code": "RESOURCES.NO_LIMIT",
		"severity": "high",
		"path": "spec.containers[0].resources.limits.memory",
		"found": null,
		"wanted": "a quantity",
		"remedy": "set resources.limits.memory",
	}}
	denials(review(having({"limits": good.limits}), {})) == {{
		"msg": "container \"web\" has no cpu request",
		"code": "RESOURCES.NO_REQUEST",
		"severity": "medium",
		"path": "spec.containers[0].resources.requests.cpu",
		"found": null,
		"wanted": "a quantity",
		"remedy": "set resources.requests.cpu",
	}}
	denials(review(having(object.union(good, {"limits": {"memory": "4Gi"}})), {"max": {"limits": {"memory": "2Gi"}}})) == {{
		"msg": "container \"web\" has a memory limit of 4Gi, which is above 2Gi",
		"code": "RESOURCES.ABOVE_MAXIMUM",
		"severity": "high",
		"path": "spec.containers[0].resources.limits.memory",
		"found": "4Gi",
		"wanted": "at most 2Gi",
		"remedy": "set resources.limits.memory to at most 2Gi",
	}}
	denials(review(having(good), {"max": {"limits": {"cpu": "2"}}})) == {{
		"msg": "container \"web\" has no cpu limit",
		"code": "RESOURCES.NO_LIMIT",
		"severity": "high",
		"path": "spec.containers[0].resources.limits.cpu",
		"found": null,
		"wanted": "at most 2",
		"remedy": "set resources.limits.cpu to at most 2",
	}}
	denials(review(having(object.union(good, {"limits": {"memory": "1 GB"}})), {})) == {{
		"msg": "container \"web\" has \"1 GB\" as memory limit, which is not a quantity",
		"code": "RESOURCES.MALFORMED",
		"severity": "high",
		"path": "spec.containers[0].resources.limits.memory",
		"found": "1 GB",
		"wanted": "a quantity",
		"remedy": "write resources.limits.memory as in 250m, 0.5, 64Mi or 1e9",
	}}
}

test_every_container_that_can_have_resources_is_judged if {
	spec := {
		"containers": [{"name": "good", "resources": good}, {"name": "a"}],
		"initContainers": [{"name": "b"}, {"name": "c", "restartPolicy": "Always"}],
		"ephemeralContainers": [{"name": "d"}],
	}
	parameters := {"required": {"requests": []}}
	messages(pod(spec), parameters) == {
		"container \"a\" has no memory limit",
		"init container \"b\" has no memory limit",
		"sidecar container \"c\" has no memory limit",
	}
	paths(pod(spec), parameters) == {
		"spec.containers[1].resources.limits.memory",
		"spec.initContainers[0].resources.limits.memory",
		"spec.initContainers[1].resources.limits.memory",
	}
	messages(pod({"containers": [null]}), parameters) == {"container \"\" has no memory limit"}
}

test_every_template_is_judged if {
	template := {"spec": {"containers": [{"name": "web"}]}}
	parameters := {"required": {"requests": []}}
	paths({"spec": {"template": template}}, parameters) == {
		"spec.template.spec.containers[0].resources.limits.memory",
	}
	paths({"spec": {"jobTemplate": {"spec": {"template": template}}}}, parameters) == {
		"spec.jobTemplate.spec.template.spec.containers[0].resources.limits.memory",
	}
}

test_what_is_required_can_be_chosen if {
	codes(having({}), {"required": {"limits": [], "requests": []}}) == set()
	paths(having({}), {"required": {"limits": ["ephemeral-storage", "cpu"], "requests": []}}) == {
		"spec.containers[0].resources.limits.ephemeral-storage",
		"spec.containers[0].resources.limits.cpu",
	}
	paths(having({}), {"required": {"requests": ["nvidia.com/gpu"]}}) == {
		"spec.containers[0].resources.limits.memory",
		"spec.containers[0].resources.requests.nvidia.com/gpu",
	}
}

test_parameters_may_be_missing_or_of_another_type if {
	expected := {"RESOURCES.NO_LIMIT", "RESOURCES.NO_REQUEST"}
	every parameters in [
		null,
		[],
		"x",
		{"required": null},
		{"required": []},
		{"required": {"limits": null, "requests": "cpu"}},
		{"max": null, "exemptImages": null},
		{"max": {"limits": null, "requests": []}},
		{"exemptImages": [null, 7]},
	] {
		codes(having({}), parameters) == expected
	}
	{finding.code | some finding in denials({"request": {"object": having({})}})} == expected
}

test_quantities_that_are_equal if {
	pairs := [
		["1", "1000m"],
		["0.1", "100m"],
		[".1", "100m"],
		["1.", "1"],
		["+1", "1"],
		["007", "7"],
		["1.5", "1500m"],
		["2000000u", "2"],
		["3000000000n", "3"],
		["1k", "1000"],
		["1Ki", "1024"],
		["1M", "1000k"],
		["1Mi", "1024Ki"],
		["0.5Gi", "512Mi"],
		["1.5Gi", "1536Mi"],
		["1G", "1e9"],
		["1Gi", "1073741824"],
		["1T", "1000G"],
		["1Ti", "1024Gi"],
		["1P", "1000T"],
		["1Pi", "1024Ti"],
		["1E", "1000P"],
		["1Ei", "1024Pi"],
		["1e3", "1k"],
		["1E3", "1k"],
		["1e+3", "1k"],
		["12e-1", "1200m"],
		["1.5e3", "1500"],
		["0e5", "0"],
		[2, "2"],
		[0.25, "250m"],
	]
	{pair | some pair in pairs; not are_equal(pair)} == set()
}

are_equal(pair) if resource_limits.thousandths(pair[0]) == resource_limits.thousandths(pair[1])

test_quantities_within_a_maximum if {
	pairs := [
		["1Gi", "1Gi"],
		["1G", "1Gi"],
		["999m", "1"],
		["64Mi", "0.1Gi"],
		["1e3", "1Ki"],
		["1m", "1"],
		["1m", "1M"],
		[1, "1"],
	]
	{pair | some pair in pairs; not fits(pair[0], pair[1])} == set()
}

test_quantities_above_a_maximum if {
	pairs := [
		["1Gi", "1G"],
		["1025Mi", "1Gi"],
		["1001m", "1"],
		["1Ki", "1k"],
		["1E", "1Pi"],
		["1e99", "1Ei"],
		["99999999999999999999999999999999", "1Ei"],
		["1M", "1m"],
		[2, "1500m"],
	]
	{pair | some pair in pairs; fits(pair[0], pair[1])} == set()
}

test_texts_that_are_no_quantities if {
	texts := [
		"",
		" ",
		"Mi",
		".",
		"-",
		"1 Gi",
		"1gi",
		"1GB",
		"1K",
		"1Mib",
		"1mi",
		"1Gi ",
		"1Gi\n",
		"1e",
		"1e3Ki",
		"1e3k",
		"1e999",
		"1,5",
		"1.2.3",
		"0x10",
		"--1",
		"NaN",
		"inf",
		"١",
		"unlimited",
		concat("", ["1" | some _ in numbers.range(1, 65)]),
		true,
		["1Gi"],
		{"value": "1Gi"},
	]
	{text |
		some text in texts
		codes(having(object.union(good, {"limits": {"memory": text}})), {}) != {"RESOURCES.MALFORMED"}
	} == set()
}

test_a_maximum_that_is_no_quantity_refuses if {
	every maximum in ["lots", "", true, {}] {
		codes(having(good), {"max": {"limits": {"memory": maximum}}}) == {"RESOURCES.ABOVE_MAXIMUM"}
	}
}

test_maxima_of_requests if {
	parameters := {"max": {"requests": {"cpu": "250m"}}}
	codes(having(good), parameters) == set()
	codes(having(object.union(good, {"requests": {"cpu": "0.3"}})), parameters) == {"RESOURCES.ABOVE_MAXIMUM"}
	codes(having({"limits": {"memory": "1Gi", "cpu": "1"}}), parameters) == {"RESOURCES.ABOVE_MAXIMUM"}
}

running(image) := pod({"containers": [{"name": "web", "image": image}]})

test_exempt_images if {
	parameters := {"exemptImages": ["ghcr.io/acme/proxy:*", "nginx"]}
	every image in ["ghcr.io/acme/proxy:1", "nginx"] {
		codes(running(image), parameters) == set()
	}
	every image in ["ghcr.io/acme/proxy-evil:1", "nginx:1", "", null, 7] {
		codes(running(image), parameters) == {"RESOURCES.NO_LIMIT", "RESOURCES.NO_REQUEST"}
	}
}

test_an_update_is_refused_only_for_what_it_makes_worse if {
	old := having({"requests": good.requests})
	denials(update(old, old)) == set()
	denials(update(old, having(good))) == set()
	{finding.code | some finding in denials(update(old, having({})))} == {"RESOURCES.NO_REQUEST"}
	{finding.code | some finding in denials(update(having(good), old))} == {"RESOURCES.NO_LIMIT"}
	{finding.code | some finding in denials(update(null, old))} == {"RESOURCES.NO_LIMIT"}
}

test_an_old_object_does_not_excuse_a_new_one if {
	target := having({"requests": good.requests})
	{finding.code |
		some finding in denials({"request": {"operation": "CREATE", "oldObject": target, "object": target}})
	} == {"RESOURCES.NO_LIMIT"}
}

test_shapes_that_no_pod_has if {
	targets := [
		{},
		{"spec": null},
		{"spec": "x"},
		{"spec": []},
		pod({}),
		pod({"containers": null, "initContainers": null}),
		pod({"containers": "x"}),
		{"spec": {"template": null}},
		{"spec": {"template": {"spec": "x"}}},
	]
	{target | some target in targets; codes(target, {}) != set()} == set()
}

test_the_whole_message_without_an_object if {
	denials({"request": {}}) == {{
		"msg": "the request has no object to judge",
		"code": "RESOURCES.NO_OBJECT",
		"severity": "high",
		"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
	}}
}

test_a_request_without_an_object_is_refused if {
	every request in [{"operation": "CREATE"}, {"operation": "CREATE", "object": null}, {"object": "pod"}, {}] {
		{finding.code | some finding in denials({"request": request})} == {"RESOURCES.NO_OBJECT"}
	}
	{finding.code | some finding in denials({})} == {"RESOURCES.NO_OBJECT"}
}

test_an_input_that_is_no_review_is_refused if {
	{finding.code | some finding in resource_limits.deny} == {"RESOURCES.NO_OBJECT"}
	every asked in [null, [], "x", 7, {"request": null}, {"request": []}] {
		{finding.code | some finding in denials(asked)} == {"RESOURCES.NO_OBJECT"}
	}
}

test_a_deletion_has_nothing_to_refuse if {
	denials({"request": {"operation": "DELETE", "object": null, "oldObject": having({})}}) == set()
}

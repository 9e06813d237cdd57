package platform.required_labels_test

import data.platform.required_labels

parameters := {"labels": [{"key": "team", "allowedRegex": "^[a-z]+$"}, {"key": "example.com/tier"}]}

review(subject) := {"request": {"operation": "CREATE", "object": subject}, "parameters": parameters}

update(old, subject) := {
	"request": {"operation": "UPDATE", "oldObject": old, "object": subject},
	"parameters": parameters,
}

pod(labels) := {"kind": "Pod", "metadata": {"name": "web", "labels": labels}, "spec": {"containers": []}}

good := {"team": "payments", "example.com/tier": "backend"}

template(labels) := {"metadata": {"labels": labels}, "spec": {"containers": []}}

deployment(labels, template_labels) := {
	"kind": "Deployment",
	"metadata": {"name": "web", "labels": labels},
	"spec": {"template": template(template_labels)},
}

cron_job(labels, job_labels, template_labels) := {
	"kind": "CronJob",
	"metadata": {"name": "web", "labels": labels},
	"spec": {"jobTemplate": {"metadata": {"labels": job_labels}, "spec": {"template": template(template_labels)}}},
}

codes(request) := {finding.code | some finding in denials(request)}

paths(request) := {finding.path | some finding in denials(request)}

denials(request) := found if found := required_labels.deny with input as request

failing(cases) := {name |
	some name, case in cases
	codes(review(case.object)) != case.codes
}

test_pods if {
	cases := {
		"good": {"object": pod(good), "codes": set()},
		"more labels than required": {"object": pod(object.union(good, {"x": "y"})), "codes": set()},
		"one is missing": {"object": pod({"team": "payments"}), "codes": {"LABELS.MISSING"}},
		"a value that does not match": {
			"object": pod(object.union(good, {"team": "Payments"})),
			"codes": {"LABELS.VALUE_NOT_ALLOWED"},
		},
		"an empty value where any value will do": {
			"object": pod(object.union(good, {"example.com/tier": ""})),
			"codes": {"LABELS.EMPTY"},
		},
		"an empty value where an expression decides": {
			"object": pod(object.union(good, {"team": ""})),
			"codes": {"LABELS.VALUE_NOT_ALLOWED"},
		},
		"a value of another type": {"object": pod(object.union(good, {"team": 7})), "codes": {"LABELS.VALUE_NOT_ALLOWED"}},
		"a null value": {
			"object": pod({"team": null, "example.com/tier": null}),
			"codes": {"LABELS.VALUE_NOT_ALLOWED", "LABELS.EMPTY"},
		},
		"no labels": {"object": pod({}), "codes": {"LABELS.MISSING"}},
		"null labels": {"object": pod(null), "codes": {"LABELS.MISSING"}},
		"labels that are a list": {"object": pod(["team"]), "codes": {"LABELS.MISSING"}},
		"no metadata": {"object": {"kind": "Pod"}, "codes": {"LABELS.MISSING"}},
		"null metadata": {"object": {"kind": "Pod", "metadata": null}, "codes": {"LABELS.MISSING"}},
		"metadata that is a string": {"object": {"kind": "Pod", "metadata": "x"}, "codes": {"LABELS.MISSING"}},
		"an empty object": {"object": {}, "codes": {"LABELS.MISSING"}},
	}
	failing(cases) == set()
}

test_every_template_of_a_workload_carries_the_labels if {
	paths(review(deployment(good, good))) == set()
	paths(review(cron_job(good, good, good))) == set()
	paths(review(deployment(good, {"team": "payments"}))) == {"spec.template.metadata.labels[\"example.com/tier\"]"}
	paths(review(deployment({"team": "payments"}, good))) == {"metadata.labels[\"example.com/tier\"]"}
	paths(review(cron_job(good, good, {"team": "payments"}))) == {
		"spec.jobTemplate.spec.template.metadata.labels[\"example.com/tier\"]",
	}
	paths(review(cron_job(good, {"team": "payments"}, good))) == {
		"spec.jobTemplate.metadata.labels[\"example.com/tier\"]",
	}
}

test_the_message_names_object_and_label if {
	denials(review(pod({"team": "Payments", "example.com/tier": "backend"}))) == {{
		"msg": "Pod \"web\" has the label \"team\" with the value \"Payments\", which does not match ^[a-z]+$",
		"code": "LABELS.VALUE_NOT_ALLOWED",
		"severity": "medium",
		"path": "metadata.labels[\"team\"]",
		"found": "Payments",
		"wanted": "a value that matches ^[a-z]+$",
		"remedy": "set metadata.labels[\"team\"] to a value that matches ^[a-z]+$",
	}}
	denials(review(deployment(good, {"team": "payments"}))) == {{
		"msg": "the Pod template of Deployment \"web\" has no label \"example.com/tier\"",
		"code": "LABELS.MISSING",
		"severity": "medium",
		"path": "spec.template.metadata.labels[\"example.com/tier\"]",
		"found": null,
		"wanted": "a value",
		"remedy": "set spec.template.metadata.labels[\"example.com/tier\"]",
	}}
	"the Job template of CronJob \"web\" has no label \"team\"" in {finding.msg |
		some finding in denials(review(cron_job(good, {}, good)))
	}
}

test_every_message_is_whole if {
	findings := denials(review(deployment({"team": ""}, {"team": "payments", "example.com/tier": ""})))
	count(findings) == 3
	every finding in findings {
		is_whole(finding)
	}
}

is_whole(finding) if {
	finding.msg != ""
	regex.match(`^LABELS\.[A-Z_]+$`, finding.code)
	finding.severity in {"critical", "high", "medium"}
	finding.remedy != ""
	finding.path != ""
}

test_a_generated_name_names_the_object if {
	{finding.msg |
		some finding in denials(review({"kind": "Pod", "metadata": {"generateName": "web-", "labels": {"team": "a"}}}))
	} == {"Pod \"web-\" has no label \"example.com/tier\""}
}

test_an_expression_that_is_not_anchored_matches_anywhere if {
	request := object.union(review(pod({"team": "the payments team"})), {"parameters": {"labels": [{
		"key": "team",
		"allowedRegex": "payments",
	}]}})
	codes(request) == set()
}

test_an_expression_that_is_none_refuses if {
	request := object.union(review(pod({"team": "payments"})), {"parameters": {"labels": [{
		"key": "team",
		"allowedRegex": "[",
	}]}})
	codes(request) == {"LABELS.VALUE_NOT_ALLOWED"}
}

test_an_update_is_refused_only_for_what_it_makes_worse if {
	old := pod({"team": "payments"})
	codes(update(old, old)) == set()
	codes(update(old, pod({"team": "payments", "x": "y"}))) == set()
	codes(update(old, pod({"team": "Payments"}))) == {"LABELS.VALUE_NOT_ALLOWED"}
	codes(update(old, pod({}))) == {"LABELS.MISSING"}
	codes(update(pod(good), old)) == {"LABELS.MISSING"}
	codes(update(null, old)) == {"LABELS.MISSING"}
}

test_an_old_object_does_not_excuse_a_new_one if {
	request := {"operation": "CREATE", "oldObject": pod({}), "object": pod({})}
	codes({"request": request, "parameters": parameters}) == {"LABELS.MISSING"}
}

test_the_whole_message_without_labels if {
	denials({"request": {"operation": "CREATE", "object": pod(good)}}) == {{
		"msg": "the policy requires no labels: parameters.labels is missing or empty",
		"code": "LABELS.NOT_CONFIGURED",
		"severity": "high",
		"remedy": "set parameters.labels to a list of {key, allowedRegex}",
	}}
}

test_a_policy_without_labels_refuses if {
	every request in [
		{"request": {"operation": "CREATE", "object": pod(good)}},
		{"request": {"operation": "CREATE", "object": pod(good)}, "parameters": {}},
		{"request": {"operation": "CREATE", "object": pod(good)}, "parameters": null},
		{"request": {"operation": "CREATE", "object": pod(good)}, "parameters": {"labels": []}},
		{"request": {"operation": "CREATE", "object": pod(good)}, "parameters": {"labels": null}},
		{"request": {"operation": "CREATE", "object": pod(good)}, "parameters": {"labels": "team"}},
	] {
		codes(request) == {"LABELS.NOT_CONFIGURED"}
	}
}

test_the_whole_message_without_an_object if {
	denials({"request": {}, "parameters": parameters}) == {{
		"msg": "the request has no object to judge",
		"code": "LABELS.NO_OBJECT",
		"severity": "high",
		"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
	}}
}

test_a_request_without_an_object_is_refused if {
	every request in [{"operation": "CREATE"}, {"operation": "CREATE", "object": null}, {"object": "pod"}, {}] {
		codes({"request": request, "parameters": parameters}) == {"LABELS.NO_OBJECT"}
	}
	codes({}) == {"LABELS.NO_OBJECT", "LABELS.NOT_CONFIGURED"}
}

test_an_input_that_is_no_review_is_refused if {
	{finding.code | some finding in required_labels.deny} == {"LABELS.NO_OBJECT", "LABELS.NOT_CONFIGURED"}
	every asked in [null, [], "x", 7, {"request": null}, {"request": []}] {
		{finding.code | some finding in denials(asked)} == {"LABELS.NO_OBJECT", "LABELS.NOT_CONFIGURED"}
	}
}

test_a_deletion_has_nothing_to_refuse if {
	codes({"request": {"operation": "DELETE", "object": null, "oldObject": pod({})}, "parameters": parameters}) == set()
}

package lib.pod_test

import data.lib.pod

spec := {
	"containers": [{"name": "web", "image": "nginx"}, {"name": "proxy", "image": "envoy"}],
	"initContainers": [
		{"name": "prepare", "image": "busybox"},
		{"name": "mesh", "image": "envoy", "restartPolicy": "Always"},
	],
	"ephemeralContainers": [{"name": "debug", "image": "alpine"}],
	"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "model", "image": {"reference": "ghcr.io/acme/model"}}],
}

bare := {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec}

# Where a kind keeps its Pod.
holders := {
	"": bare,
	"template": {"kind": "PodTemplate", "metadata": {"name": "web"}, "template": {"spec": spec}},
	"spec.template": {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}},
	"spec.jobTemplate.spec.template": {
		"kind": "CronJob",
		"metadata": {"name": "web"},
		"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}},
	},
}

below("") := ""

below(path) := sprintf("%s.", [path]) if path != ""

test_every_container_of_every_holder if {
	every path, holder in holders {
		{[container.path, container.title] | some container in pod.containers(holder)} == {
			[sprintf("%sspec.containers[0]", [below(path)]), `container "web"`],
			[sprintf("%sspec.containers[1]", [below(path)]), `container "proxy"`],
			[sprintf("%sspec.initContainers[0]", [below(path)]), `init container "prepare"`],
			[sprintf("%sspec.initContainers[1]", [below(path)]), `sidecar container "mesh"`],
			[sprintf("%sspec.ephemeralContainers[0]", [below(path)]), `ephemeral container "debug"`],
		}
	}
}

test_every_image_of_every_holder if {
	every path, holder in holders {
		{[use.path, use.image] | some use in pod.images(holder)} == {
			[sprintf("%sspec.containers[0].image", [below(path)]), "nginx"],
			[sprintf("%sspec.containers[1].image", [below(path)]), "envoy"],
			[sprintf("%sspec.initContainers[0].image", [below(path)]), "busybox"],
			[sprintf("%sspec.initContainers[1].image", [below(path)]), "envoy"],
			[sprintf("%sspec.ephemeralContainers[0].image", [below(path)]), "alpine"],
			[sprintf("%sspec.volumes[1].image.reference", [below(path)]), "ghcr.io/acme/model"],
		}
	}
}

test_a_container_knows_its_pod if {
	some container in pod.containers(bare)
	container.name == "web"
	container.kind == "container"
	container.spec == {"name": "web", "image": "nginx"}
	container.pod.spec == spec
	container.pod.metadata.labels.app == "web"
}

test_titles_of_pods if {
	{found.title | some found in pod.pods(bare)} == {`Pod "web"`}
	{found.title | some found in pod.pods(holders["spec.template"])} == {
		`Deployment "web"`,
		`the Pod template of Deployment "web"`,
	}
}

test_a_template_has_metadata_of_its_own if {
	template := {"metadata": {"annotations": {"a": "b"}}, "spec": spec}
	found := pod.pods({"kind": "Job", "spec": {"template": template}})
	{one.metadata | some one in found; one.path == "spec.template"} == {{"annotations": {"a": "b"}}}
}

test_images_that_are_missing if {
	holder := {"spec": {
		"containers": [{"name": "a"}, {"name": "b", "image": null}, {"name": "c", "image": ["nginx"]}, "d"],
		"volumes": [{"name": "e", "image": {}}, {"name": "f", "image": "nginx"}, {"name": "g", "image": {"reference": 7}}],
	}}
	{[use.title, use.image] | some use in pod.images(holder)} == {
		[`container "a"`, ""],
		[`container "b"`, ""],
		[`container "c"`, ["nginx"]],
		[`container ""`, ""],
		[`volume "e"`, ""],
		[`volume "f"`, ""],
		[`volume "g"`, 7],
	}
}

test_what_is_no_object_is_a_container_that_says_nothing if {
	found := pod.containers({"spec": {"containers": [null, "web", {"name": "web"}], "initContainers": [7]}})
	{[container.path, container.spec] | some container in found} == {
		["spec.containers[0]", {}],
		["spec.containers[1]", {}],
		["spec.containers[2]", {"name": "web"}],
		["spec.initContainers[0]", {}],
	}
}

test_the_containers_of_one_pod if {
	every path, holder in holders {
		some found in pod.pods(holder)
		found.path == path
		pod.containers_of(found) == {container | some container in pod.containers(holder); container.pod == found}
		count(pod.containers_of(found)) == 5
	}
}

test_paths_in_a_pod if {
	{pod.path(found, "spec.hostNetwork") | some found in pod.pods(holders["spec.template"])} == {
		"spec.hostNetwork",
		"spec.template.spec.hostNetwork",
	}
}

test_names_that_are_missing if {
	{container.title | some container in pod.containers({"spec": {"containers": [{}]}})} == {`container ""`}
}

test_what_has_no_containers if {
	every object in [null, 1, "Pod", [], {}, {"spec": null}, {"spec": []}, {"spec": {"containers": "web"}}] {
		pod.containers(object) == set()
		pod.images(object) == set()
		pod.is_valid(object) == false
	}
}

test_what_can_be_read if {
	every _, holder in holders {
		pod.is_valid(holder)
	}
	pod.is_valid({"spec": {"containers": null}})
	pod.is_valid({"spec": {"containers": [{}, "web"]}}) == false
	pod.is_valid({"spec": {"initContainers": {}}}) == false
	pod.is_valid({"spec": {"template": {"spec": {"ephemeralContainers": 1}}}}) == false
	pod.is_valid({"spec": {"volumes": [null]}}) == false
}

test_titles if {
	pod.title({"kind": "Deployment", "metadata": {"name": "web"}}) == `Deployment "web"`
	pod.title({"kind": "Pod", "metadata": {"generateName": "web-"}}) == `Pod "web-"`
	pod.title({}) == `object ""`
	pod.title(null) == `object ""`
}

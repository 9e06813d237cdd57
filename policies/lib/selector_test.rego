package lib.selector_test

import data.lib.selector

labels := {"app": "web", "tier": "front", "empty": ""}

chosen := [
	{},
	{"matchLabels": {}},
	{"matchLabels": null, "matchExpressions": null},
	{"matchExpressions": []},
	{"matchLabels": {"app": "web"}},
	{"matchLabels": {"app": "web", "tier": "front"}},
	{"matchLabels": {"empty": ""}},
	{"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]},
	{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]},
	{"matchExpressions": [{"key": "missing", "operator": "NotIn", "values": ["api"]}]},
	{"matchExpressions": [{"key": "empty", "operator": "Exists"}]},
	{"matchExpressions": [{"key": "app", "operator": "Exists", "values": []}]},
	{"matchExpressions": [{"key": "missing", "operator": "DoesNotExist"}]},
	{
		"matchLabels": {"app": "web"},
		"matchExpressions": [
			{"key": "tier", "operator": "In", "values": ["front"]},
			{"key": "missing", "operator": "DoesNotExist", "values": null},
		],
	},
]

left_out := [
	null,
	{"matchLabels": {"app": "api"}},
	{"matchLabels": {"app": "web", "tier": "back"}},
	{"matchLabels": {"missing": ""}},
	{"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]},
	{"matchExpressions": [{"key": "missing", "operator": "In", "values": [""]}]},
	{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api", "web"]}]},
	{"matchExpressions": [{"key": "missing", "operator": "Exists"}]},
	{"matchExpressions": [{"key": "empty", "operator": "DoesNotExist"}]},
	{
		"matchLabels": {"app": "web"},
		"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}],
	},
]

malformed := [
	1,
	"app=web",
	[],
	set(),
	{"app": "web"},
	{"matchLabels": []},
	{"matchLabels": "app"},
	{"matchLabels": {"app": 1}},
	{"matchLabels": {"app": null}},
	{"matchExpressions": {}},
	{"matchExpressions": [null]},
	{"matchExpressions": [{}]},
	{"matchExpressions": [{"key": "app"}]},
	{"matchExpressions": [{"operator": "Exists"}]},
	{"matchExpressions": [{"key": 1, "operator": "Exists"}]},
	{"matchExpressions": [{"key": "app", "operator": "exists"}]},
	{"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]},
	{"matchExpressions": [{"key": "app", "operator": "In"}]},
	{"matchExpressions": [{"key": "app", "operator": "In", "values": []}]},
	{"matchExpressions": [{"key": "app", "operator": "In", "values": "web"}]},
	{"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", 1]}]},
	{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": null}]},
	{"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["web"]}]},
]

test_what_is_selected if {
	[choice | some choice in chosen; selector.matches(choice, labels) != true] == []
	[choice | some choice in chosen; selector.excludes(choice, labels) != false] == []
	[choice | some choice in chosen; selector.is_valid(choice) != true] == []
}

test_what_is_left_out if {
	[choice | some choice in left_out; selector.matches(choice, labels) != false] == []
	[choice | some choice in left_out; selector.excludes(choice, labels) != true] == []
	[choice | some choice in left_out; selector.is_valid(choice) != true] == []
}

test_what_is_no_selector if {
	[choice | some choice in malformed; selector.matches(choice, labels) != false] == []
	[choice | some choice in malformed; selector.excludes(choice, labels) != false] == []
	[choice | some choice in malformed; selector.is_valid(choice) != false] == []
}

test_no_labels if {
	every none in [{}, null, "app", []] {
		selector.matches({}, none)
		selector.excludes({"matchLabels": {"app": "web"}}, none)
		selector.matches({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, none)
		selector.matches({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, none)
		selector.excludes({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, none)
		selector.excludes(null, none)
	}
}

test_labels_of_objects if {
	selector.labels({"metadata": {"labels": {"app": "web"}}}) == {"app": "web"}
	every object in [{}, null, {"metadata": null}, {"metadata": {}}, {"metadata": {"labels": ["app"]}}] {
		selector.labels(object) == {}
	}
}

package bench

violation[{"msg": msg}] {
	container := input.review.object.spec.containers[_]
	not is_exempt(container)
	has_disallowed_capabilities(container)
	msg := sprintf("container <%v> has a capability that is not allowed; allowed are %v", [container.name, allowed("allowedCapabilities")])
}

violation[{"msg": msg}] {
	container := input.review.object.spec.containers[_]
	not is_exempt(container)
	missing_drop_capabilities(container)
	msg := sprintf("container <%v> does not drop all of %v or ALL", [container.name, allowed("requiredDropCapabilities")])
}

violation[{"msg": msg}] {
	container := input.review.object.spec.initContainers[_]
	not is_exempt(container)
	missing_drop_capabilities(container)
	msg := sprintf("init container <%v> does not drop all of %v or ALL", [container.name, allowed("requiredDropCapabilities")])
}

has_disallowed_capabilities(container) {
	permitted := {lower(capability) | capability := input.parameters.allowedCapabilities[_]}
	not permitted["*"]
	added := {lower(capability) | capability := container.securityContext.capabilities.add[_]}
	count(added - permitted) > 0
}

missing_drop_capabilities(container) {
	required := {lower(capability) | capability := input.parameters.requiredDropCapabilities[_]}
	dropped := {lower(capability) | capability := container.securityContext.capabilities.drop[_]}
	count(required - dropped) > 0
	count({"all"} - dropped) > 0
}

allowed(name) = listed {
	listed := input.parameters[name]
}

allowed(name) = "nothing" {
	not input.parameters[name]
}

is_exempt(container) {
	exemptions := object.get(input.parameters, "exemptImages", [])
	image := container.image
	exemption := exemptions[_]
	matches_exemption(image, exemption)
}

matches_exemption(image, exemption) {
	not endswith(exemption, "*")
	exemption == image
}

matches_exemption(image, exemption) {
	endswith(exemption, "*")
	startswith(image, trim_suffix(exemption, "*"))
}

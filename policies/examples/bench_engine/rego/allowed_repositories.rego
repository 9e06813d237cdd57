package bench

violation[{"msg": msg}] {
	container := input.review.object.spec.containers[_]
	not begins_with_any(container.image, input.parameters.repos)
	msg := sprintf("container <%v> has an invalid image repository <%v>, allowed are %v", [container.name, container.image, input.parameters.repos])
}

violation[{"msg": msg}] {
	container := input.review.object.spec.initContainers[_]
	not begins_with_any(container.image, input.parameters.repos)
	msg := sprintf("init container <%v> has an invalid image repository <%v>, allowed are %v", [container.name, container.image, input.parameters.repos])
}

violation[{"msg": msg}] {
	container := input.review.object.spec.ephemeralContainers[_]
	not begins_with_any(container.image, input.parameters.repos)
	msg := sprintf("ephemeral container <%v> has an invalid image repository <%v>, allowed are %v", [container.name, container.image, input.parameters.repos])
}

begins_with_any(image, repositories) {
	startswith(image, repositories[_])
}

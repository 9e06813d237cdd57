# shellcheck shell=bash disable=SC2034 # the scripts beside this one use them
# The names, places and addresses of the end-to-end cluster: sourced by every
# script beside it, and the only place where one of them is written down.

# ip, nft and sysctl live where only root's PATH looks.
PATH=$PATH:/usr/sbin:/sbin

cluster_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Places. Real paths, because the kernel lists mounts by them.
cache=$(realpath -m "${PORTCULLIS_CACHE:-$HOME/.cache/portcullis}")
binaries=$cache/bin
state=$(realpath -m "${E2E_STATE:-$cache/cluster}")
kubeconfig=$state/kubeconfig
containerd_socket=$state/run/containerd.sock
# Which state directory holds the machine's one cluster: bridge, cgroup and
# ports exist once, whatever E2E_STATE says.
owner_file=/run/portcullis-e2e.state
lock_file=/run/portcullis-e2e.lock

# The node's network. 10.244.0.0/24 gives the host-local plugin 253 addresses,
# the kubelet admits 110 Pods.
bridge=ptc0
carrier=ptc0-port
node_name=node1
node_address=10.244.0.1
pod_network=10.244.0.0/24
service_network=10.96.0.0/16
api_service_address=10.96.0.1
dns_service_address=10.96.0.10
cni_network=portcullis-e2e

# Ports, on loopback unless said otherwise.
api_port=6443      # on node_address
kubelet_port=10250 # on node_address
etcd_port=22379
etcd_peer_port=22380

# One cgroup holds every process of the cluster: the components, the shims and
# what runs in Pods.
cgroup=portcullis-e2e

# Images that are built here.
pause_image=portcullis-pause:e2e
coredns_image=portcullis-coredns:e2e

say() {
	printf 'cluster: %s\n' "$*" >&2
}

die() {
	printf 'cluster: error: %s\n' "$1" >&2
	shift
	(($# == 0)) || printf '  hint: %s\n' "$@" >&2
	exit 1
}

# Whether E2E_KUBECONFIG names a cluster that is not this one.
other_cluster() {
	[[ -n ${E2E_KUBECONFIG:-} && $(realpath -m "$E2E_KUBECONFIG") != "$kubeconfig" ]]
}

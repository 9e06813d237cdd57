# shellcheck shell=bash disable=SC2034 # build uses them
# What the end-to-end cluster is made of. Versions of Kubernetes and etcd are in
# go.mod; these are the modules that `go install module@version` can build.

# Kubernetes 1.36 built with Go 1.27 answers a broken /openapi/v2.
go_minor=go1.26
go_toolchain=go1.26.8

helm_version=v4.3.1
opa_version=v1.22.2
coredns_version=v1.15.0

cluster_binaries=(pause etcd kube-apiserver kubelet kube-controller-manager kube-scheduler kube-proxy kubectl coredns)

# command:package, where Debian 12 has it. Kubernetes 1.36 is the last one that
# accepts Debian's containerd 1.6.
host_commands=(
	busybox:busybox-static
	conntrack:conntrack
	containerd:containerd
	ctr:containerd
	curl:curl
	ip:iproute2
	iptables:iptables
	nft:nftables
	openssl:openssl
	python3:python3
	runc:runc
	sysctl:procps
)

# Where distributions put the CNI plugins.
cni_directories=(/usr/lib/cni /opt/cni/bin /usr/libexec/cni)

cni_directory() {
	local directory
	for directory in "${cni_directories[@]}"; do
		[[ -x $directory/bridge && -x $directory/host-local ]] || continue
		echo "$directory"
		return
	done
	return 1
}

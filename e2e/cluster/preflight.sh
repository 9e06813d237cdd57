# shellcheck shell=bash
# What a start needs, looked at before anything is touched.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=versions.sh
source "$cluster_directory/versions.sh"
# shellcheck source=cgroups.sh
source "$cluster_directory/cgroups.sh"

elsewhere="E2E_KUBECONFIG=/path/to/kubeconfig uses another cluster instead"

# Only one start or end at a time.
take_lock() {
	((EUID == 0)) || die "the cluster needs root" "$elsewhere"
	exec {lock}>"$lock_file"
	# A start is bounded by its waits, which sum up to less than this.
	flock --wait 300 "$lock" || die "another start or end of the cluster takes longer than 300 s"
	local owner
	[[ -f $owner_file ]] || return 0
	owner=$(<"$owner_file")
	[[ $owner == "$state" ]] || die "this machine's cluster belongs to E2E_STATE=$owner" "E2E_STATE=$owner e2e/cluster/down"
}

check_machine() {
	local missing=() entry controller
	[[ $(uname -s) == Linux ]] || die "the cluster needs Linux" "$elsewhere"

	for entry in "${host_commands[@]}"; do
		command -v "${entry%%:*}" >/dev/null || missing+=("${entry%%:*}")
	done
	cni_directory >/dev/null || missing+=("the CNI plugins bridge and host-local")
	for entry in "${cluster_binaries[@]}"; do
		[[ -x $binaries/$entry ]] || missing+=("$binaries/$entry")
	done
	((${#missing[@]} == 0)) || die "missing: ${missing[*]}" e2e/cluster/build

	for controller in cpu cpuset memory pids; do
		has_controller "$controller" || die "there is no cgroup controller $controller" "$elsewhere"
	done
	[[ -w /proc/sys/net/ipv4/ip_forward ]] || die "/proc/sys is read-only" "a container needs --privileged" "$elsewhere"
	unshare --mount --net --pid --fork true 2>/dev/null || die "namespaces cannot be made (CAP_SYS_ADMIN is missing)" "$elsewhere"
	nft list tables >/dev/null || die "nftables cannot be used (CAP_NET_ADMIN or the kernel's nf_tables is missing)" "$elsewhere"
	# Sockets have paths of at most 107 characters; the longest below is a netns of 70.
	((${#containerd_socket} <= 90)) || die "the path $containerd_socket is too long for a socket" "set E2E_STATE to a shorter one"
}

has_controller() {
	if [[ $(cgroup_version) == 2 ]]; then
		grep -qw "$1" /sys/fs/cgroup/cgroup.controllers
	else
		[[ -e /sys/fs/cgroup/$1/cgroup.procs ]]
	fi
}

# shellcheck shell=bash
# The cluster's cgroup. Every component joins it before it starts, so whatever
# it starts is in it too, shims and the processes of Pods included; that is how
# teardown finds all of them and nothing else.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

cgroup_version() {
	[[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]] && echo 2 || echo 1
}

# The hierarchies, one a line.
cgroup_hierarchies() {
	local directory
	if [[ $(cgroup_version) == 2 ]]; then
		echo /sys/fs/cgroup
		return
	fi
	for directory in /sys/fs/cgroup/*/; do
		directory=${directory%/}
		# `cpu,cpuacct` has symbolic links beside it.
		[[ ! -L $directory && -e $directory/cgroup.procs ]] || continue
		echo "$directory"
	done
}

# Where the components' own processes are.
component_cgroup() {
	if [[ $(cgroup_version) == 2 ]]; then
		echo "/sys/fs/cgroup/$cgroup/components"
	else
		echo "/sys/fs/cgroup/pids/$cgroup/components"
	fi
}

create_cgroups() {
	local hierarchy controller
	for hierarchy in $(cgroup_hierarchies); do
		mkdir -p "$hierarchy/$cgroup" || die "cannot create the cgroup $hierarchy/$cgroup" "run as root, on a host or in a container that may write cgroups"
		# cpuset groups start empty and refuse processes until they have both.
		if [[ -e $hierarchy/$cgroup/cpuset.mems && -e $hierarchy/cpuset.mems ]]; then
			cat "$hierarchy/cpuset.mems" >"$hierarchy/$cgroup/cpuset.mems"
			cat "$hierarchy/cpuset.cpus" >"$hierarchy/$cgroup/cpuset.cpus"
		fi
	done
	if [[ $(cgroup_version) == 2 ]]; then
		for controller in cpu cpuset memory pids; do
			echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
			echo "+$controller" >"/sys/fs/cgroup/$cgroup/cgroup.subtree_control"
		done
	fi
	mkdir -p "$(component_cgroup)"
}

# Every process of the cluster, one a line.
cgroup_processes() {
	local hierarchy
	for hierarchy in $(cgroup_hierarchies); do
		[[ -d $hierarchy/$cgroup ]] || continue
		find "$hierarchy/$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null || true
	done | sort -un
}

# Ends every process of the cluster. They get no time to say goodbye: what they
# could save is thrown away next.
kill_cgroup() {
	local attempt processes
	# A process that forks while this runs is found by the next round. 100 rounds
	# of 0.1 s: far more than the kernel needs to take down a few hundred.
	for ((attempt = 0; attempt < 100; attempt++)); do
		mapfile -t processes < <(cgroup_processes)
		((${#processes[@]} > 0)) || return 0
		# One that is gone already is what is wanted.
		kill -KILL "${processes[@]}" 2>/dev/null || true
		sleep 0.1
	done
	die "processes of the cluster do not end: ${processes[*]}"
}

remove_cgroups() {
	local hierarchy attempt
	for hierarchy in $(cgroup_hierarchies); do
		# The kernel lets go of a group a moment after its last process.
		for ((attempt = 0; attempt < 50; attempt++)); do
			[[ -d $hierarchy/$cgroup ]] || continue 2
			find "$hierarchy/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
		done
		[[ ! -d $hierarchy/$cgroup ]] || die "cannot remove the cgroup $hierarchy/$cgroup"
	done
}

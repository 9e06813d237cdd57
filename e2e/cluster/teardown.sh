# shellcheck shell=bash
# Ending the cluster, whatever state it is in: running, half started, or with
# some of its processes killed. Each step does nothing where nothing is left.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=cgroups.sh
source "$cluster_directory/cgroups.sh"
# shellcheck source=network.sh
source "$cluster_directory/network.sh"

tear_down() {
	kill_cgroup
	unmount_all
	remove_strays
	remove_network
	remove_cgroups
	restore_sysctls
	# The logs stay until the next start; the rest goes, and nothing that lies
	# beside it by mistake.
	rm -rf --one-file-system "$state"/{cni,config,containerd,etcd,images,kubelet,pki,run,sysctls.new,fingerprint}
	rm -f "$kubeconfig" "$owner_file"
}

# Pods' root file systems, volumes and network namespaces, innermost first.
unmount_all() {
	local mount
	# Spaces are written as \040 there.
	while read -r mount; do
		printf -v mount %b "$mount"
		umount "$mount" 2>/dev/null || umount --lazy "$mount"
	done < <(awk -v prefix="$state/" '{ gsub(/\\/, "\\0", $5) } index($5, prefix) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
}

# What containerd, the CNI library and the kubelet write to fixed places.
remove_strays() {
	local file socket loopback
	for file in "$state"/run/containerd/io.containerd.runtime.v2.task/k8s.io/*/address; do
		[[ -f $file ]] || continue
		socket=$(<"$file")
		rm -f "${socket#unix://}"
	done
	for file in /var/lib/cni/results/"$cni_network"-*-eth0; do
		[[ -f $file ]] || continue
		# Each Pod's loopback is remembered beside its own network.
		loopback=${file/"$cni_network"-/cni-loopback-}
		rm -f "$file" "${loopback/%-eth0/-lo}"
	done
	for file in /var/log/containers/*.log; do
		[[ ! -L $file || $(readlink "$file") != "$state"/* ]] || rm "$file"
	done
	rm -f /var/lib/kubelet/device-plugins/kubelet.sock
	# Directories that others use as well stay when there is something in them.
	rmdir --ignore-fail-on-non-empty --parents \
		/run/containerd/s /var/lib/cni/results /var/log/containers /var/lib/kubelet/device-plugins 2>/dev/null || true
}

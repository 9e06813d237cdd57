# shellcheck shell=bash
# Images: those that the cluster itself needs, and putting archives into its
# containerd.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

write_system_images() {
	mkdir -p "$state/images"
	"$cluster_directory/../image/archive.py" "$state/images/pause.tar" --name "$pause_image" \
		--binary "$binaries/pause=/pause" --entrypoint /pause
	"$cluster_directory/../image/archive.py" "$state/images/coredns.tar" --name "$coredns_image" \
		--binary "$binaries/coredns=/coredns" --entrypoint /coredns
}

# import ARCHIVE...: and wait until the kubelet's side of containerd knows what
# is in them, which it learns from events.
import() {
	local archive
	for archive in "$@"; do
		in_containerd images import "$archive" >/dev/null || return
	done
	local attempt
	# 100 times 0.1 s: it takes milliseconds.
	for ((attempt = 0; attempt < 100; attempt++)); do
		[[ -n $(unmanaged_images) ]] || return 0
		sleep 0.1
	done
	die "containerd did not take over: $(unmanaged_images)"
}

unmanaged_images() {
	in_containerd images ls | awk 'NR > 1 && !/io.cri-containerd.image=managed/ { print $1 }'
}

in_containerd() {
	ctr --address "$containerd_socket" --namespace k8s.io "$@"
}

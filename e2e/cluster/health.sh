# shellcheck shell=bash
# The conditions that a start waits for, and that make a cluster a healthy one.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=components.sh
source "$cluster_directory/components.sh"

containerd_answers() {
	ctr --address "$containerd_socket" --timeout 2s version
}

# Includes etcd.
api_server_ready() {
	administer get --raw /readyz
}

node_ready() {
	[[ $(administer get node "$node_name" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]
}

service_addresses_work() {
	# Any answer will do: 401 is what a stranger gets.
	curl --silent --output /dev/null --max-time 2 --cacert "$state/pki/ca.crt" "https://$api_service_address/"
}

coredns_ready() {
	[[ $(administer -n kube-system get deployment coredns -o 'jsonpath={.status.readyReplicas}') == 1 ]]
}

default_account_present() {
	administer -n default get serviceaccount default
}

# Everything runs, answers, and was started from the scripts and binaries that
# are here now.
healthy() {
	local component
	for component in "${components[@]}"; do
		alive "$component" || return 1
	done
	[[ -f $state/fingerprint && $(<"$state/fingerprint") == "$(fingerprint)" ]] || return 1
	api_server_ready && node_ready && service_addresses_work && coredns_ready
} >/dev/null 2>&1

fingerprint() {
	cat "$cluster_directory"/*.sh "$cluster_directory"/{up,coredns.yaml} "$binaries"/.stamps/* | sha256sum
}

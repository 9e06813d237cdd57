# shellcheck shell=bash
# The node's network: one bridge that carries the node's address and the Pods,
# and the kernel's settings that routing needs.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# What this, the kubelet and kube-proxy change; put back by teardown in this
# order: setting ip_forward sets the forwarding and the redirects of every
# interface.
changed_sysctls=(
	net.ipv4.ip_forward
	kernel.keys.root_maxbytes
	kernel.keys.root_maxkeys
	kernel.panic
	kernel.panic_on_oops
	net.bridge.bridge-nf-call-ip6tables
	net.bridge.bridge-nf-call-iptables
	net.ipv4.conf.all.accept_redirects
	net.ipv4.conf.all.forwarding
	net.ipv4.conf.all.route_localnet
	net.ipv6.conf.all.forwarding
	net.netfilter.nf_conntrack_max
	net.netfilter.nf_conntrack_tcp_timeout_close_wait
	net.netfilter.nf_conntrack_tcp_timeout_established
	vm.overcommit_memory
	vm.panic_on_oom
)

create_network() {
	local network
	[[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || modprobe br_netfilter 2>/dev/null ||
		die "the kernel module br_netfilter is not loaded" "modprobe br_netfilter"
	for network in "$pod_network" "$service_network"; do
		[[ -z $(ip -4 route show root "$network") ]] ||
			die "this machine routes $network already: $(ip -4 route show root "$network" | head -n 1)"
	done
	! nft list tables | grep -qw kube-proxy ||
		die "another kube-proxy runs on this machine" "run the end-to-end cluster on a machine that is no node"

	save_sysctls
	# Without the first nothing leaves the bridge; without the second the answer of
	# a Pod to its neighbour would skip the translation of service addresses.
	sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1

	# A fixed hardware address: a bridge otherwise changes its own when ports come
	# and go, and Pods lose their way until they ask again.
	ip link add "$bridge" address 02:00:0a:f4:00:01 type bridge ||
		die "cannot create the bridge $bridge" "CAP_NET_ADMIN and the kernel's bridge driver are needed"
	ip link set "$bridge" addrgenmode none
	# A bridge without a port has no carrier; this port never goes away.
	ip link add "$carrier" type veth peer name "$carrier-end"
	ip link set "$carrier-end" addrgenmode none up
	ip link set "$carrier" addrgenmode none master "$bridge" up
	ip address add "$node_address/24" dev "$bridge"
	ip link set "$bridge" up
	# Service addresses work without a default route, and never leave the machine.
	ip route add "$service_network" dev "$bridge" src "$node_address"
}

remove_network() {
	local link family
	for link in "$carrier" "$bridge"; do
		[[ ! -e /sys/class/net/$link ]] || ip link delete "$link"
	done
	for family in ip ip6; do
		nft delete table "$family" kube-proxy 2>/dev/null || true
	done
	# Connections that died with their Pods would otherwise be remembered for days,
	# and meet the next cluster's Pods, which get the same addresses.
	conntrack -D -s "$pod_network" >/dev/null 2>&1 || true
	conntrack -D -d "$pod_network" >/dev/null 2>&1 || true
	conntrack -D -d "$service_network" >/dev/null 2>&1 || true
}

save_sysctls() {
	local name
	for name in "${changed_sysctls[@]}"; do
		[[ ! -r /proc/sys/${name//.//} ]] || echo "$name=$(sysctl -n "$name")"
	done >"$state/sysctls.new"
	mv "$state/sysctls.new" "$state/sysctls"
}

restore_sysctls() {
	local setting
	[[ -f $state/sysctls ]] || return 0
	while read -r setting; do
		[[ $(sysctl -n "${setting%%=*}" 2>/dev/null) == "${setting#*=}" ]] || sysctl -qw "$setting" || true
	done <"$state/sysctls"
	rm "$state/sysctls"
}

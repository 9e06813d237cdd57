# shellcheck shell=bash
# containerd, the kubelet and kube-proxy.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=versions.sh
source "$cluster_directory/versions.sh"
# shellcheck source=components.sh
source "$cluster_directory/components.sh"
# shellcheck source=pki.sh
source "$cluster_directory/pki.sh"

start_containerd() {
	write_cni_configuration
	cat >"$state/config/containerd.toml" <<-TOML
		version = 2
		root = "$state/containerd"
		state = "$state/run/containerd"

		[grpc]
		address = "$containerd_socket"

		[plugins."io.containerd.internal.v1.opt"]
		path = "$state/containerd/opt"

		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "docker.io/library/$pause_image"
		# Where CAP_SYS_RESOURCE is missing, lowering a score ends the sandbox.
		restrict_oom_score_adj = true
		disable_apparmor = true
		netns_mounts_under_state_dir = true

		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "$(cni_directory)"
		conf_dir = "$state/config/cni"

		[plugins."io.containerd.grpc.v1.cri".containerd]
		snapshotter = "$(snapshotter)"

		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		runtime_type = "io.containerd.runc.v2"

		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
		Root = "$state/run/runc"
		SystemdCgroup = false
	TOML
	start containerd containerd --config "$state/config/containerd.toml"
}

# The kernel stacks no overlay on another one, as in a container's own files.
snapshotter() {
	[[ $(stat -fc %T "$state") == overlayfs ]] && echo native || echo overlayfs
}

write_cni_configuration() {
	mkdir -p "$state/config/cni"
	cat >"$state/config/cni/10-bridge.conflist" <<-JSON
		{
		  "cniVersion": "0.4.0",
		  "name": "$cni_network",
		  "plugins": [{
		    "type": "bridge",
		    "bridge": "$bridge",
		    "hairpinMode": true,
		    "ipam": {
		      "type": "host-local",
		      "dataDir": "$state/cni",
		      "ranges": [[{"subnet": "$pod_network", "gateway": "$node_address"}]],
		      "routes": [{"dst": "0.0.0.0/0"}]
		    }
		  }]
		}
	JSON
}

start_kubelet() {
	# Names outside the cluster are not looked up: a test that needs the internet
	# should fail everywhere.
	echo "nameserver $dns_service_address" >"$state/config/resolv.conf"
	cat >"$state/config/kubelet.yaml" <<-YAML
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		address: $node_address
		port: $kubelet_port
		healthzBindAddress: 127.0.0.1
		tlsCertFile: $pki/kubelet-serving.crt
		tlsPrivateKeyFile: $pki/kubelet-serving.key
		authentication:
		  anonymous: {enabled: false}
		  webhook: {enabled: true}
		  x509: {clientCAFile: $pki/ca.crt}
		authorization: {mode: Webhook}
		containerRuntimeEndpoint: unix://$containerd_socket
		clusterDNS: [$dns_service_address]
		clusterDomain: cluster.local
		resolvConf: $state/config/resolv.conf
		podLogsDir: $state/log/pods
		volumePluginDir: $state/kubelet/volume-plugins
		cgroupDriver: cgroupfs
		cgroupRoot: /$cgroup
		failCgroupV1: false
		failSwapOn: false
		makeIPTablesUtilChains: false
		enforceNodeAllocatable: [pods]
		evictionHard: {memory.available: 200Mi, nodefs.available: 2%, imagefs.available: 2%}
		# 100 switches image collection off: nothing could pull an image again.
		imageGCHighThresholdPercent: 100
	YAML
	start kubelet "$binaries/kubelet" \
		--config "$state/config/kubelet.yaml" \
		--kubeconfig "$state/config/kubelet.kubeconfig" \
		--root-dir "$state/kubelet" \
		--cert-dir "$state/kubelet/pki" \
		--hostname-override "$node_name" \
		--node-ip "$node_address"
}

start_kube_proxy() {
	cat >"$state/config/kube-proxy.yaml" <<-YAML
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: nftables
		hostnameOverride: $node_name
		clientConnection: {kubeconfig: $state/config/kube-proxy.kubeconfig}
		clusterCIDR: $pod_network
		bindAddress: $node_address
		healthzBindAddress: 127.0.0.1:10256
		metricsBindAddress: 127.0.0.1:10249
		nodePortAddresses: [$node_address/32]
		# Zero leaves the machine's own limits and times as they are.
		conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
	YAML
	start kube-proxy "$binaries/kube-proxy" --config "$state/config/kube-proxy.yaml"
}

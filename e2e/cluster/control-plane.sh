# shellcheck shell=bash
# etcd, the API server, the controllers and the scheduler.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source=components.sh
source "$cluster_directory/components.sh"
# shellcheck source=pki.sh
source "$cluster_directory/pki.sh"

start_etcd() {
	# What etcd holds does not outlive the cluster: it need not reach the disk.
	start etcd "$binaries/etcd" \
		--name e2e \
		--data-dir "$state/etcd" \
		--listen-client-urls "http://127.0.0.1:$etcd_port" \
		--advertise-client-urls "http://127.0.0.1:$etcd_port" \
		--listen-peer-urls "http://127.0.0.1:$etcd_peer_port" \
		--initial-advertise-peer-urls "http://127.0.0.1:$etcd_peer_port" \
		--initial-cluster "e2e=http://127.0.0.1:$etcd_peer_port" \
		--unsafe-no-fsync \
		--log-level warn
}

# Admission webhooks are called through the service address, as in most clusters.
start_api_server() {
	start kube-apiserver "$binaries/kube-apiserver" \
		--bind-address "$node_address" \
		--advertise-address "$node_address" \
		--secure-port "$api_port" \
		--etcd-servers "http://127.0.0.1:$etcd_port" \
		--service-cluster-ip-range "$service_network" \
		--authorization-mode Node,RBAC \
		--anonymous-auth=false \
		--enable-admission-plugins NodeRestriction \
		--allow-privileged=true \
		--client-ca-file "$pki/ca.crt" \
		--tls-cert-file "$pki/apiserver.crt" \
		--tls-private-key-file "$pki/apiserver.key" \
		--kubelet-certificate-authority "$pki/ca.crt" \
		--kubelet-client-certificate "$pki/apiserver-kubelet-client.crt" \
		--kubelet-client-key "$pki/apiserver-kubelet-client.key" \
		--kubelet-preferred-address-types InternalIP \
		--service-account-issuer https://kubernetes.default.svc \
		--service-account-key-file "$pki/service-account.pub" \
		--service-account-signing-key-file "$pki/service-account.key" \
		--requestheader-client-ca-file "$pki/front-proxy-ca.crt" \
		--requestheader-allowed-names front-proxy-client \
		--requestheader-username-headers X-Remote-User \
		--requestheader-group-headers X-Remote-Group \
		--requestheader-extra-headers-prefix X-Remote-Extra- \
		--proxy-client-cert-file "$pki/front-proxy-client.crt" \
		--proxy-client-key-file "$pki/front-proxy-client.key"
}

start_controllers() {
	start kube-controller-manager "$binaries/kube-controller-manager" \
		--kubeconfig "$state/config/kube-controller-manager.kubeconfig" \
		--authentication-kubeconfig "$state/config/kube-controller-manager.kubeconfig" \
		--authorization-kubeconfig "$state/config/kube-controller-manager.kubeconfig" \
		--bind-address 127.0.0.1 \
		--leader-elect=false \
		--use-service-account-credentials=true \
		--service-account-private-key-file "$pki/service-account.key" \
		--root-ca-file "$pki/ca.crt" \
		--cluster-signing-cert-file "$pki/ca.crt" \
		--cluster-signing-key-file "$pki/ca.key" \
		--requestheader-client-ca-file "$pki/front-proxy-ca.crt"
}

start_scheduler() {
	start kube-scheduler "$binaries/kube-scheduler" \
		--kubeconfig "$state/config/kube-scheduler.kubeconfig" \
		--authentication-kubeconfig "$state/config/kube-scheduler.kubeconfig" \
		--authorization-kubeconfig "$state/config/kube-scheduler.kubeconfig" \
		--bind-address 127.0.0.1 \
		--leader-elect=false
}

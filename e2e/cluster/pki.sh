# shellcheck shell=bash
# Keys, certificates and kubeconfigs. Made anew by every start: they are worth
# nothing beyond one cluster's life.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

pki=$state/pki
# A cluster lives for minutes; a month leaves room for one that is debugged.
pki_days=30

create_pki() {
	mkdir -p "$pki" "$state/config"
	chmod 0700 "$pki"

	authority ca
	authority front-proxy-ca
	certificate ca apiserver /CN=kube-apiserver serverAuth \
		"DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:$api_service_address,IP:$node_address,IP:127.0.0.1"
	certificate ca kubelet-serving "/O=system:nodes/CN=system:node:$node_name" serverAuth "DNS:$node_name,IP:$node_address,IP:127.0.0.1"
	certificate ca apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
	certificate front-proxy-ca front-proxy-client /CN=front-proxy-client clientAuth
	certificate ca admin /O=system:masters/CN=admin clientAuth
	certificate ca kubelet "/O=system:nodes/CN=system:node:$node_name" clientAuth
	local component
	for component in kube-controller-manager kube-scheduler kube-proxy; do
		certificate ca "$component" "/CN=system:$component" clientAuth
	done
	key service-account
	openssl pkey -in "$pki/service-account.key" -pubout -out "$pki/service-account.pub"

	write_kubeconfig admin "$kubeconfig"
	for component in kubelet kube-controller-manager kube-scheduler kube-proxy; do
		write_kubeconfig "$component" "$state/config/$component.kubeconfig"
	done
}

key() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pki/$1.key" 2>/dev/null
}

authority() {
	key "$1"
	openssl req -x509 -new -key "$pki/$1.key" -subj "/CN=$1" -days "$pki_days" -out "$pki/$1.crt" \
		-addext keyUsage=critical,keyCertSign,cRLSign
}

# certificate AUTHORITY NAME SUBJECT USAGE [NAMES]
certificate() {
	local authority=$1 name=$2 subject=$3 usage=$4 names=${5:-}
	key "$name"
	openssl req -new -key "$pki/$name.key" -subj "$subject" |
		openssl x509 -req -CA "$pki/$authority.crt" -CAkey "$pki/$authority.key" -days "$pki_days" \
			-set_serial "0x$(openssl rand -hex 8)" -out "$pki/$name.crt" -extfile <(
				echo basicConstraints=critical,CA:false
				echo keyUsage=critical,digitalSignature
				echo "extendedKeyUsage=$usage"
				[[ -z $names ]] || echo "subjectAltName=$names"
			) 2>/dev/null
}

# write_kubeconfig NAME FILE: with everything in it, so that it can be copied.
write_kubeconfig() {
	install -m 0600 /dev/null "$2"
	cat >"$2" <<-YAML
		apiVersion: v1
		kind: Config
		current-context: portcullis-e2e
		clusters:
		- name: portcullis-e2e
		  cluster:
		    server: https://$node_address:$api_port
		    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
		contexts:
		- name: portcullis-e2e
		  context: {cluster: portcullis-e2e, user: $1}
		users:
		- name: $1
		  user:
		    client-certificate-data: $(base64 -w0 "$pki/$1.crt")
		    client-key-data: $(base64 -w0 "$pki/$1.key")
	YAML
}

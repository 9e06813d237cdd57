# shellcheck shell=bash
# Starting a component, knowing whether it still runs, and waiting for a named
# condition.
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# shellcheck disable=SC2034 # up and status use it
components=(etcd containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)

# start COMPONENT COMMAND...: in the cluster's cgroup, in a session of its own,
# its output in $state/log/COMPONENT.log.
start() {
	local component=$1 procs process
	shift
	procs=$(component_cgroup)/cgroup.procs
	(
		# The lock on the cluster belongs to this script, not to what it starts.
		[[ -z ${lock:-} ]] || exec {lock}>&-
		echo "$BASHPID" >"$procs"
		cd /
		exec setsid "$@" </dev/null >"$state/log/$component.log" 2>&1
	) &
	process=$!
	echo "$process $(start_time "$process")" >"$state/run/$component.pid"
}

# The time at which a process started, in clock ticks: with it a process number
# names one process for as long as the machine is up. Empty when it has ended.
start_time() {
	local fields
	{ fields=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
	# The second field is the command's name, which may hold anything.
	read -ra fields <<<"${fields##*) }"
	[[ ${fields[0]} == Z ]] || echo "${fields[19]}"
}

# The number of a component's process, if it runs.
process_of() {
	local process started
	read -r process started 2>/dev/null <"$state/run/$1.pid" || return 1
	[[ -n $started && $(start_time "$process") == "$started" ]] || return 1
	echo "$process"
}

alive() {
	process_of "$1" >/dev/null
}

# await SECONDS COMPONENT CONDITION COMMAND...: until COMMAND succeeds. CONDITION
# says in words what it looks at, COMPONENT whose log explains that it takes too
# long. A component that ends meanwhile, whichever it is, ends the wait.
await() {
	local seconds=$1 component=$2 condition=$3 started=$SECONDS file other
	shift 3
	until "$@" >/dev/null 2>&1; do
		for file in "$state"/run/*.pid; do
			other=$(basename "$file" .pid)
			alive "$other" || give_up "$other" "$other ended while waiting until $condition"
		done
		((SECONDS - started < seconds)) || give_up "$component" "after $seconds s it is still not so that $condition"
		sleep 0.1
	done
	say "$condition"
}

give_up() {
	printf 'cluster: the end of %s:\n' "$state/log/$1.log" >&2
	tail -n 30 "$state/log/$1.log" >&2 || true
	die "$2" "everything is left as it is: $state/log has the logs, e2e/cluster/down clears up"
}

# kubectl as the cluster's administrator; a call that hangs counts as a refusal.
administer() {
	"$binaries/kubectl" --kubeconfig "$kubeconfig" --request-timeout 10s "$@"
}

# METADATA
# description: What a Pod's status says of it.
package netcause.lib.pod

import data.netcause.lib.kubernetes

# state is a Pod's phase with the reasons that its status gives.
state(pod) := concat(": ", array.concat([_phase(pod)], _reasons(pod)))

_phase(pod) := "Running, being deleted" if {
	pod.status.phase == "Running"
	kubernetes.leaving(pod)
} else := "Running but not Ready" if {
	pod.status.phase == "Running"
	kubernetes.not_ready(pod)
} else := object.get(pod.status, "phase", "no phase")

_reasons(pod) := array.flatten([
	[pod.status.reason | pod.status.reason],
	[trim_right(object.get(condition, "message", object.get(condition, "reason", "not scheduled")), ". ") |
		some condition in pod.status.conditions
		_disturbs(condition)
	],
	[concat(", ", reasons) |
		some container in pod.status.containerStatuses
		reasons := _container_reasons(container)
		count(reasons) > 0
	],
])

_container_reasons(container) := array.flatten([
	[container.state[kind].reason | some kind in ["waiting", "terminated"]],
	[restarts | restarts := _restarts(container.restartCount)],
	[sprintf("last %s", [_exit(container.lastState.terminated)]) | container.restartCount > 0],
	[_exit(container.state.terminated) | container.state.terminated.message],
])

_restarts(1) := "1 restart"

_restarts(n) := sprintf("%d restarts", [n]) if n > 1

# "Error" is the kubelet's word for any exit code but 0.
_exit(ended) := concat("", array.flatten([
	sprintf("exit %d", [object.get(ended, "exitCode", 0)]),
	[sprintf(" (%s)", [ended.reason]) | not ended.reason in {"", "Error"}],
	[sprintf(": %s", [substring(message, 0, 120)]) |
		message := trim_space(regex.replace(object.get(ended, "message", ""), `\s+`, " "))
		message != ""
	],
]))

_disturbs(condition) if {
	condition.type == "PodScheduled"
	condition.status == "False"
}

_disturbs(condition) if {
	condition.type == "DisruptionTarget"
	condition.status == "True"
}

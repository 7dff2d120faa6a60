# METADATA
# description: Pods that are not ready, why, and whether that is a fault or only a beginning.
package netcause.lib.unready

import data.netcause.lib.kubernetes
import data.netcause.lib.pod as pod_status
import data.netcause.lib.service
import data.netcause.lib.text

# Reasons of containers that wait for something that time alone does not bring.
_failing := {
	"CrashLoopBackOff",
	"ImagePullBackOff",
	"ErrImagePull",
	"ErrImageNeverPull",
	"InvalidImageName",
	"CreateContainerConfigError",
	"CreateContainerError",
	"RunContainerError",
}

# is_fault says whether something keeps a group's Pods from being ready, or from being made.
is_fault(group) if {
	not _is_unwanted(group)
	some problem in group.pods
	_is_broken(problem)
}

is_fault(group) if {
	group.count == 0
	some workload in group.workloads
	workload.replicas > 0
	workload.seconds > 60
}

is_fault(group) if {
	group.count == 0
	count(group.events) > 0
}

# The last Pods of a workload that was scaled to zero are on their way.
_is_unwanted(group) if {
	count(group.workloads) > 0
	every workload in group.workloads {
		workload.replicas == 0
	}
}

_is_broken(problem) if {
	not _is_leaving(problem.pod)
	is_failing(problem.pod)
}

_is_broken(problem) if {
	not _is_leaving(problem.pod)
	some container in problem.pod.status.containerStatuses
	not container.ready
	container.state.terminated
}

# Long enough for a start, an image and the first probes.
_is_broken(problem) if {
	not _is_leaving(problem.pod)
	problem.seconds > object.get(problem, ["probe", "seconds"], 0) + _patience(problem.pod)
}

# A Pod that should be gone by now hangs, and holds the place of the next one of a StatefulSet.
_is_leaving(pod) if {
	pod.metadata.deletionTimestamp
	not _is_overdue(pod)
}

_is_overdue(pod) if netcause.seconds_since(pod.metadata.deletionTimestamp) > 120

# is_failing says whether a container of a Pod waits for something that time alone does not bring.
is_failing(pod) if {
	some container in _containers(pod)
	container.state.waiting.reason in _failing
}

_patience(pod) := 60 if {
	pod.status.phase == "Running"
} else := 120

_containers(pod) := array.concat(
	object.get(pod.status, "containerStatuses", []),
	object.get(pod.status, "initContainerStatuses", []),
)

# reasons say why, a Pod at a time, each reason once.
reasons(group) := array.concat(
	[sprintf("%s is %s", [name, _shown(group, name)]) | some name in text.few(_first_of_each(group))],
	_unmade(group),
)

# Pods of one workload mostly share their reason: it is told of the first that has it.
_first_of_each(group) := [problem.pod.metadata.name |
	some i, problem in group.pods
	not _problem_before(group, i)
]

_problem_before(group, i) if {
	some j, other in group.pods
	j < i
	_why(other) == _why(group.pods[i])
}

_shown(group, name) := [_why(problem) | some problem in group.pods; problem.pod.metadata.name == name][0]

_why(problem) := concat(": ", array.concat([pod_status.state(problem.pod)], _probe_failed(problem)))

_probe_failed(problem) := [trim_right(substring(trim_space(event.message), 0, 160), ".") |
	some event in array.slice(_telling(problem), 0, 1)
	not _said_already(problem)
]

_telling(problem) := [event |
	some event in problem.events
	event.reason in {"Unhealthy", "FailedCreatePodSandBox", "FailedMount"}
]

_said_already(problem) if {
	some container in _containers(problem.pod)
	container.state.waiting.reason in _failing
}

_unmade(group) := [sprintf("%s %s wants %d Pods and has none%s", [workload.kind, workload.name, workload.replicas, _failure(group)]) |
	group.count == 0
	some workload in group.workloads
	workload.replicas > 0
]

_failure(group) := sprintf(": %s", [trim_right(group.events[0].message, ".")]) if count(group.events) > 0

_failure(group) := "" if count(group.events) == 0

# evidence are the Pods' states, their last events, and the workloads that have none.
evidence(group) := array.flatten([
	[fact |
		some problem in text.few(group.pods)
		some fact in array.concat([_pod_fact(problem)], [_event_fact(problem, event) | some event in array.slice(problem.events, 0, 1)])
	],
	[fact |
		group.count == 0
		some workload in group.workloads
		fact := service.workload_fact(workload)
	],
	[{"fact": event.reason, "value": event.message, "source": event.source} | some event in group.events],
])

_pod_fact(problem) := {
	"fact": sprintf("Pod %s on %s", [kubernetes.name(problem.pod), object.get(problem.pod.spec, "nodeName", "no node")]),
	"value": concat(", ", array.concat([pod_status.state(problem.pod)], _probe_shown(problem))),
	"source": problem.pod.source,
}

_probe_shown(problem) := [sprintf("readiness probe: %s", [problem.probe.shown]) | problem.probe]

_event_fact(problem, event) := {
	"fact": sprintf("event %s of Pod %s", [event.reason, problem.pod.metadata.name]),
	"value": event.message,
	"source": event.source,
}

# steps show what a Pod of the group says of itself.
steps(group) := array.concat(_pod_steps(group), [{
	"cluster": true,
	"run": sprintf("kubectl -n %s describe %s %s", [workload.namespace, lower(workload.kind), workload.name]),
	"why": "its conditions and events say why no Pods are made",
} |
	group.count == 0
	some workload in group.workloads
])

_pod_steps(group) := array.flatten([
	{
		"cluster": true,
		"run": sprintf("kubectl -n %s describe pod %s", [pod.metadata.namespace, pod.metadata.name]),
		"why": "its events say what it waits for",
	},
	[{
		"cluster": true,
		"run": sprintf("kubectl -n %s logs %s --all-containers --tail=50%s", [pod.metadata.namespace, pod.metadata.name, _previous(pod)]),
	} |
		pod.status.phase == "Running"
	],
]) if {
	pod := group.pods[0].pod
} else := []

_previous(pod) := " --previous" if {
	some container in pod.status.containerStatuses
	container.restartCount > 0
} else := ""

# soon says of a group that is no fault what is going on.
soon(group) := sprintf("%s: %s, for %d s", [service.names(group.services), reasons(group)[0], group.pods[0].seconds]) if {
	group.pods[0].seconds >= 0
} else := sprintf("%s: %s, and it is not known for how long", [service.names(group.services), reasons(group)[0]]) if {
	count(group.pods) > 0
} else := sprintf("%s: its Pods are being made", [service.names(group.services)])

package cluster

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"

	"github.com/netcause/netcause/engine/facts"
)

func convertDaemonSet(d *appsv1.DaemonSet) facts.DaemonSet {
	return facts.DaemonSet{
		Metadata: convertMeta(&d.ObjectMeta),
		Spec: facts.WorkloadSpec{
			Selector: value(convertSelector(d.Spec.Selector)),
			Template: convertTemplate(&d.Spec.Template),
		},
		Status: facts.DaemonSetStatus{
			DesiredNumberScheduled: d.Status.DesiredNumberScheduled,
			CurrentNumberScheduled: d.Status.CurrentNumberScheduled,
			NumberReady:            d.Status.NumberReady,
			NumberAvailable:        d.Status.NumberAvailable,
			NumberUnavailable:      d.Status.NumberUnavailable,
			NumberMisscheduled:     d.Status.NumberMisscheduled,
		},
	}
}

func convertDeployment(d *appsv1.Deployment) facts.Deployment {
	return facts.Deployment{
		Metadata: convertMeta(&d.ObjectMeta),
		Spec: facts.WorkloadSpec{
			Replicas: d.Spec.Replicas,
			Selector: value(convertSelector(d.Spec.Selector)),
			Template: convertTemplate(&d.Spec.Template),
		},
		Status: facts.DeploymentStatus{
			Replicas:            d.Status.Replicas,
			ReadyReplicas:       d.Status.ReadyReplicas,
			AvailableReplicas:   d.Status.AvailableReplicas,
			UnavailableReplicas: d.Status.UnavailableReplicas,
		},
	}
}

func convertStatefulSet(s *appsv1.StatefulSet) facts.StatefulSet {
	return facts.StatefulSet{
		Metadata: convertMeta(&s.ObjectMeta),
		Spec: facts.WorkloadSpec{
			Replicas: s.Spec.Replicas,
			Selector: value(convertSelector(s.Spec.Selector)),
			Template: convertTemplate(&s.Spec.Template),
		},
		Status: facts.StatefulSetStatus{
			Replicas:          s.Status.Replicas,
			ReadyReplicas:     s.Status.ReadyReplicas,
			AvailableReplicas: s.Status.AvailableReplicas,
		},
	}
}

func convertTemplate(t *corev1.PodTemplateSpec) facts.PodTemplate {
	return facts.PodTemplate{Metadata: convertMeta(&t.ObjectMeta), Spec: convertPodSpec(&t.Spec)}
}

func convertPriorityClass(p *schedulingv1.PriorityClass) facts.PriorityClass {
	return facts.PriorityClass{Metadata: convertMeta(&p.ObjectMeta), Value: p.Value, GlobalDefault: p.GlobalDefault}
}

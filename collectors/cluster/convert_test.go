package cluster

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Whatever an object has in whichever of its fields: converted it is what its JSON is.
func TestConvertedEqualsJSON(t *testing.T) {
	t.Run("node", func(t *testing.T) { convertedEqualsJSON(t, convertNode) })
	t.Run("pod", func(t *testing.T) { convertedEqualsJSON(t, convertPod) })
	t.Run("service", func(t *testing.T) { convertedEqualsJSON(t, convertService) })
	t.Run("endpointslice", func(t *testing.T) { convertedEqualsJSON(t, convertEndpointSlice) })
	t.Run("networkpolicy", func(t *testing.T) { convertedEqualsJSON(t, convertNetworkPolicy) })
	t.Run("daemonset", func(t *testing.T) { convertedEqualsJSON(t, convertDaemonSet) })
	t.Run("deployment", func(t *testing.T) { convertedEqualsJSON(t, convertDeployment) })
	t.Run("statefulset", func(t *testing.T) { convertedEqualsJSON(t, convertStatefulSet) })
	t.Run("priorityclass", func(t *testing.T) { convertedEqualsJSON(t, convertPriorityClass) })
	t.Run("configmap", func(t *testing.T) { convertedEqualsJSON(t, convertConfigMap) })
	t.Run("event", func(t *testing.T) { convertedEqualsJSON(t, convertEvent) })
	t.Run("namespace", func(t *testing.T) { convertedEqualsJSON(t, convertNamespace) })
}

func convertedEqualsJSON[
	T corev1.Node | corev1.Pod | corev1.Service | discoveryv1.EndpointSlice | networkingv1.NetworkPolicy | appsv1.DaemonSet |
		appsv1.Deployment | appsv1.StatefulSet | schedulingv1.PriorityClass | corev1.ConfigMap | corev1.Event | corev1.Namespace,
	F any,
](t *testing.T, convert func(*T) F) {
	t.Helper()
	for seed := range uint64(60) {
		var object T
		fill(reflect.ValueOf(&object).Elem(), rand.New(rand.NewPCG(seed, 0)))
		text, err := json.Marshal(&object)
		if err != nil {
			t.Fatal(err)
		}
		var want F
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, convert(&object)); diff != "" {
			t.Fatalf("seed %d: its JSON (-), converted (+):\n%s", seed, diff)
		}
	}
}

// fill gives every field a value, and leaves some out. Seed 0 of a fresh generator decides nothing alone: there are many.
func fill(v reflect.Value, r *rand.Rand) {
	switch p := v.Addr().Interface().(type) {
	case *metav1.Time:
		*p = metav1.NewTime(time.Unix(1_600_000_000+r.Int64N(1e8), 0).UTC())
		return
	case *metav1.MicroTime:
		*p = metav1.NewMicroTime(time.UnixMicro(1_600_000_000_000_000 + r.Int64N(1e14)).UTC())
		return
	case *apiresource.Quantity:
		*p = apiresource.MustParse([]string{"100m", "2", "7931892Ki", "3Gi", "0.5"}[r.IntN(5)])
		return
	case *intstr.IntOrString:
		*p = intstr.FromInt32(r.Int32N(65536))
		if r.IntN(2) == 0 {
			*p = intstr.FromString("http")
		}
		return
	case *[]metav1.ManagedFieldsEntry:
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(f, r)
			}
		}
	case reflect.Pointer:
		if r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r)
		}
	case reflect.Slice:
		if n := r.IntN(3); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(v.Index(i), r)
			}
		}
	case reflect.Map:
		if n := r.IntN(3); n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				fill(key, r)
				fill(value, r)
				v.SetMapIndex(key, value)
			}
		}
	case reflect.String:
		if r.IntN(6) > 0 {
			v.SetString(fmt.Sprintf("text-%d-ä", r.IntN(1000)))
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64N(1000))
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	default:
		panic("a kind of field that no object had before: " + v.Type().String())
	}
}

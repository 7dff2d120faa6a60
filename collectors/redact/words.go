package redact

import "strings"

// components are names that stay, also in a name of more parts: rules know network plugins, kube-proxy and DNS by them, and
// they are the same in every cluster.
var components = strings.Fields(`
default apiserver ds kubernetes kube-system kube-public kube-node-lease kube-flannel kube-flannel-ds kube-flannel-cfg kube-proxy kube-dns
kube-apiserver kube-controller-manager kube-scheduler kube-router kube-vip kube-ovn kube-multus kube-multus-ds kube-state-metrics
kube-network-policies kube-root-ca kube-bridge kube-ipvs0 kubeadm kubeadm-config kubelet kubelet-config kubectl kubelite hyperkube
coredns coredns-custom node-local-dns nodelocaldns dns-default cluster-dns rke2-coredns rke2-canal rke2-calico rke2-cilium rke2-flannel
rke-kube-proxy rke2-server rke2-agent rke2 rke k3s k3s-server k3s-agent k0s microk8s minikube kind kindnet talos local-path-provisioner
local-path-storage
calico calico-node calico-typha calico-kube-controllers calico-system calico-apiserver calico-config tigera tigera-operator typha felix
bird confd cilium cilium-agent cilium-operator cilium-envoy cilium-config cilium-node-init hubble hubble-relay hubble-ui
flannel flanneld flannel-io canal canal-config weave weave-net antrea antrea-agent antrea-controller antrea-config ovn ovnkube ovnkube-node
ovnkube-master ovnkube-controller ovn-kubernetes openshift openshift-dns openshift-sdn openshift-ovn-kubernetes openshift-ingress
openshift-monitoring openshift-multus multus multus-ds whereabouts aws-node azure-cni azure-cns azure-ip-masq-agent ip-masq-agent
gke-metadata-server netd konnectivity-agent amazon-vpc-cni eks-pod-identity-agent virtual-kubelet fargate sriov sriov-cni
etcd metrics-server metallb metallb-system metallb-speaker metallb-controller speaker traefik servicelb svclb svclb-traefik ingress-nginx
ingress-nginx-controller nginx-ingress haproxy-ingress istio-system istiod istio-proxy istio-cni-node linkerd cert-manager
kubernetes-dashboard cattle-system cattle-fleet-system gatekeeper-system longhorn-system monitoring prometheus grafana node-exporter
node-problem-detector fluentd fluent-bit nvidia gpu-operator
system-node-critical system-cluster-critical install-cni install-cni-plugin mount-bpffs flexvol-driver upgrade-ipam ebpf-bootstrap pause
containerd docker dockerd crio cri-o podman lxc runc gvisor runsc kata
systemd systemd-networkd systemd-resolved networkmanager netplan cloud-init firewalld ufw fail2ban nftables iptables iptables-nft
iptables-legacy ip6tables ipvs ipset dnsmasq chronyd sshd
http https grpc dns dns-tcp tcp-dns metrics healthz health web-ui api-server peer client prometheus-metrics
http-metrics https-metrics liveness-port readiness-port
`)

// vocabulary are words of the kernel's, Kubernetes' and the tools' own that somebody may have given as a name too. In running
// text they stay, and only where something is named they are replaced: "comment" in "--comment", not in "shop/comment".
var vocabulary = strings.Fields(`
a about above access account action active actual add added addr address addresses admin affinity after agent alias all alloc allocatable allow
allowed alpha already also always amd64 an and annotation annotations any api apiserver apiversion app application apps are arch arg args arm64
arp as ask assigned at attach attempt auth auto available avg back backend backends backoff bad balance base baseline be been before beta
between bin bind binding block blocked body bond boot both bpf bridge broadcast bucket build burst but by bypass bytes ca cache call can
cannot capabilities cgroup chain change check cidr class clear client close closed cluster clusters cni code collision command comment comments
common component components condition conf config configmap configmaps configuration confirmed connect connected connection connections connlimit connmark
connrate conntrack container containers content context contexts continue control control-plane controller controlplane core cost count counter
counters cpu crash create created creating critical cron ct ctstate current daemon daemonset daemonsets dashboard data database datacenter
date day db deadline debug dec decision default defaults defrag delegate delete deleted demo deny deploy deployment deployments depth dest
destination dev development device devices dhcp dir direct directory disable disabled discovery disk dnat do does domain domains done down
driver drop dropped dscp dst dup dynamic each edge edit egress elem element elements empty enable enabled end endpoint endpoints endpointslice
endpointslices env environment ephemeral err error errors established etc eth0 eth1 ether event events every exceeded exclude exec exhausted exists exit
expected expire expired explicit export expr expression ext external fail failed failing failure fallthrough false family fast fib field file files
filter fin firewall first fixed flag flags flow flows flush for force forward found free from front frontend full fwd gate gateway gc generic
get global good goto group groups guest guid handle handler has hash have hdr header headless health healthy heartbeat help hidden high history
hit hold home hook hooks host hostname hosts hour how icmp icmpv6 id idle if ifname igmp ignore iif iifname image images immediate in index
inet info ingress init initial inner input insert install instance instances int interface interfaces internal interval into invalid ip ip4 ip6
ip6table ipv4 ipv6 is isolated issue issues it item items its job jobs json jump keep key keys kill kind kernel kube label labels lan last latest layer
leader lease left len length level lib library life limit limits line link links linux list listen live liveness lo load local localhost location
lock log logging login logs loop low mac mail main maintenance manage manager manifest manual map mark markmask mask masquerade master match
matched max maximum memory message meta metadata meter method middle min minute missing mode model module monitor month more mount mount move
mtu multi multiple multiport must my name named names namespace namespaces nat native need net netdev netfilter netmask network networks never
new next nf nfct nft no node nodeport nodeports nodes none normal not notice notrack now ns null num number numgen object objects of off ok old on once one
only op open operation operator option optional options or order orig original os osf other out outer output over overlay owner pack packet
packets page parent part pass password path payload pending per permanent physdev pid ping pipe pkttype place plain plane platform plugin plugins
pod pods point policies policy poll pool port ports post postrouting pre preemption prefix prerouting present prev primary print prio priority
private probe process prod production profile prohibit project proto protocol provider proxy public pull push put queue queued quota random
range rate raw re reach reached read reader readiness ready real realm reason recent record records redirect ref reference refused region register
registry reject related release reload remote remove removed rename repeat replace replica replicas replicaset reply report request requests
resolve resource resources response restart restarting result return rev revision right role roles root round route router routes rows rr rt
rule rules run running runtime safe same save scan scheduled scheduler schema scope script sctp search second seconds secret secure security select
selector self send sent server servers service services session set setname sets setup shared short should show shutdown sid side size skip slice
small snapshot snat so socket source space spec speed sport src srv stable stage staging standard standby start started startup state stateful
statefulset static statistic stats status step stop storage store strategy stream string subject subnet success such sum support switch sync
synproxy syn sys system systems tab table tables tag target task tcp tcpmss team template term test tests text that the then this throw tier time
timeout timestamp to token tool top topology tos total toward tproxy trace traffic transport trigger true ttl tun tunnel type udp uid un unable unavailable
unhealthy uint unique unit unknown unreachable unschedulable unset until up update updated upgrade uri url usage use used user users using valid
value values var verdict version veth via view virtual vlan vmap vni volume volumes vtap vxlan wait waiting warning was watch wed week weight
were what when where which while who why window wire wireless wireguard with without work worker workers workload workloads write xt year yes you zero zone zones
mon tue thu fri sat sun jan feb mar apr jun jul aug sep oct nov dec
x-forwarded-for accept reject masq queue-num limit-burst queue-bypass src-type dst-type probability every nfproto l4proto protocol ether-type
kubernetes-networks nodename hostnetwork podcidr clusterip nodeip
`)

// knownDomains are those of Kubernetes, the network's programs and the distributions. They and what is below them stay.
var knownDomains = strings.Fields(`
kubernetes.io k8s.io sigs.k8s.io x-k8s.io cncf.io cluster.local in-addr.arpa ip6.arpa svc.cluster.local
projectcalico.org tigera.io cilium.io coreos.com flannel.alpha.coreos.com k8s.ovn.org ovn.org kube-router.io antrea.io weave.works
metallb.io metallb.universe.tf k3s.io k0sproject.io rke.cattle.io cattle.io rancher.io rancher.com openshift.io istio.io linkerd.io
helm.sh argoproj.io fluxcd.io prometheus.io cert-manager.io traefik.io eksctl.io kots.io replicated.com
eks.amazonaws.com kubernetes.azure.com azure.com cloud.google.com microk8s.io minikube.sigs.k8s.io node.k8s.io
debian.org ubuntu.com redhat.com fedoraproject.org centos.org almalinux.org rockylinux.org suse.com opensuse.org alpinelinux.org
archlinux.org flatcar.org oracle.com kernel.org netfilter.org freedesktop.org systemd.io netplan.io golang.org go.dev
localhost.localdomain schema.org w3.org
`)

// providers are domains below which customers have names of their own: they stay, what is before them does not.
var providers = strings.Fields(`
docker.io docker.com quay.io gcr.io ghcr.io github.com github.io gitlab.com googleapis.com pkg.dev amazonaws.com azurecr.io azmk8s.io
mcr.microsoft.com microsoft.com windows.net compute.internal ec2.internal registry.k8s.io cloudfront.net digitaloceanspaces.com
ocir.io icr.io cloudapp.azure.com internal.cloudapp.net c.internal google.internal
`)

// topDomains end a name of DNS. Ends of file names and of Kubernetes' fields are not among them, though some are in the
// root zone.
var topDomains = set(strings.Fields(`
com net org edu gov mil int info biz io dev cloud ai app eu us uk de fr nl be ch at it es pt se no fi dk pl cz sk hu ro bg gr ie is ee lv lt
ru ua tr il ae sa in cn jp kr tw hk sg my th vn id ph au nz br mx ar cl co pe za ng ke eg ca lu li si hr rs
internal corp lan intra intranet home private localdomain local example test invalid onion arpa tech online site xyz systems bank
`))

// plainValues are values of labels that name nothing.
var plainValues = set(strings.Fields(`true false yes no on off enabled disabled linux windows amd64 arm64 none auto privileged baseline restricted
latest stable canary frontend backend`))

// plainKeys are labels whose values are not names: hashes, generations, what a machine is.
var plainKeys = set(strings.Fields(`pod-template-hash controller-revision-hash pod-template-generation kubernetes.io/os kubernetes.io/arch
beta.kubernetes.io/os beta.kubernetes.io/arch node.kubernetes.io/instance-type beta.kubernetes.io/instance-type
apps.kubernetes.io/pod-index statefulset.kubernetes.io/pod-name app.kubernetes.io/version helm.sh/chart version chart heritage
endpointslice.kubernetes.io/managed-by app.kubernetes.io/managed-by job-name batch.kubernetes.io/job-name`))

func set(words []string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, word := range words {
		m[word] = true
	}
	return m
}

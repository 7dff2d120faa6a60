package netfilter

import (
	"strings"
	"testing"
)

// programRules are the rules that programs write, in the words of iptables-save, by program and table: one of each form
// that the program's source has.
var programRules = map[string][]string{
	"kube-proxy": {
		"nat: -A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
		"nat: -A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING",
		"nat: -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
		"nat: -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
		"nat: -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
		"nat: -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
		"nat: -A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE --random-fully",
		"nat: -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment \"kube-system/kube-dns:dns cluster IP\" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU",
		"nat: -A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
		"nat: -A KUBE-SVC-TCOU7JCQXEZGVUNU ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ",
		"nat: -A KUBE-SVC-TCOU7JCQXEZGVUNU ! -i cbr0 -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ",
		"nat: -A KUBE-SVC-TCOU7JCQXEZGVUNU -m comment --comment \"kube-system/kube-dns:dns -> 10.244.0.2:53\" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A",
		"nat: -A KUBE-SVC-TCOU7JCQXEZGVUNU -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource -j KUBE-SEP-A",
		"nat: -A KUBE-SEP-A -s 10.244.0.2/32 -j KUBE-MARK-MASQ",
		"nat: -A KUBE-SEP-A -p tcp -m recent --set --name KUBE-SEP-A --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.244.0.2:53",
		"nat: -A KUBE-SEP-A -p udp -m udp -j DNAT --to-destination [fd00::2]:53",
		"nat: -A KUBE-FW-A -s 10.0.0.0/8 -m comment --comment \"default/lb loadbalancer IP\" -j KUBE-EXT-A",
		"nat: -A KUBE-EXT-A -m comment --comment \"route LOCAL traffic for default/lb external destinations\" -m addrtype --src-type LOCAL -j KUBE-SVC-A",
		"nat: -A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m comment --comment \"default/a\" -m nfacct --nfacct-name localhost_nps_accepted_pkts -m tcp --dport 30080 -j KUBE-EXT-A",
		"filter: -A INPUT -m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer firewall\" -j KUBE-PROXY-FIREWALL",
		"filter: -A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP",
		"filter: -A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT",
		"filter: -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"filter: -A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m comment --comment \"a/b has no endpoints\" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable",
		"filter: -A KUBE-EXTERNAL-SERVICES -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 30001 -j DROP",
		"filter: -A KUBE-PROXY-FIREWALL -d 192.0.2.1/32 -p tcp -m tcp --dport 80 -j DROP",
		"filter: -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
		"filter: -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
		"raw: -A PREROUTING -d 127.0.0.0/8 ! -i lo -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
		// IPVS mode
		"nat: -A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN",
		"nat: -A KUBE-SERVICES ! -s 10.244.0.0/16 -m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\" -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ",
		"nat: -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT",
		"nat: -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT",
		"nat: -A KUBE-NODE-PORT -p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ",
		"nat: -A KUBE-POSTROUTING -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE",
		"filter: -A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP dst,dst -j RETURN",
		"filter: -A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT --reject-with icmp-port-unreachable",
		"filter: -A KUBE-SOURCE-RANGES-FIREWALL -j DROP",
		"nat: -A KUBE-LOAD-BALANCER -m set --match-set KUBE-LOAD-BALANCER-LOCAL dst,dst -j RETURN",
		"nat: -A KUBE-LOAD-BALANCER-FW -m set --match-set KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN",
		"nat: -A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000",
	},
	"flannel": {
		"nat: -A POSTROUTING -m comment --comment \"flanneld masq\" -j FLANNEL-POSTRTG",
		"nat: -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment \"flanneld masq\" -j RETURN",
		"nat: -A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 -m comment --comment \"flanneld masq\" -j RETURN",
		"nat: -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment \"flanneld masq\" -j RETURN",
		"nat: -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment \"flanneld masq\" -j MASQUERADE --random-fully",
		"filter: -A FORWARD -m comment --comment \"flanneld forward\" -j FLANNEL-FWD",
		"filter: -A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment \"flanneld forward\" -j ACCEPT",
	},
	"Calico": {
		"filter: -A INPUT -m comment --comment \"cali:Cz_u1IQiXIMmKD4c\" -j cali-INPUT",
		"filter: -A cali-INPUT -p ipencap -m comment --comment \"cali:1\" -m comment --comment \"Allow IPIP packets from Calico hosts\" -m set --match-set cali40all-hosts-net src -m addrtype --dst-type LOCAL -j ACCEPT",
		"filter: -A cali-INPUT -p udp -m comment --comment \"cali:2\" -m comment --comment \"Allow IPv4 VXLAN packets from allowed hosts\" -m multiport --dports 4789 -m set --match-set cali40all-vxlan-net src -m addrtype --dst-type LOCAL -j ACCEPT",
		"filter: -A cali-INPUT -i cali+ -m comment --comment \"cali:3\" -g cali-wl-to-host",
		"filter: -A cali-INPUT -m comment --comment \"cali:4\" -m mark --mark 0x10000/0x10000 -j ACCEPT",
		"filter: -A cali-INPUT -m comment --comment \"cali:5\" -j MARK --set-xmark 0x0/0xf0000",
		"filter: -A cali-FORWARD -m comment --comment \"cali:6\" -j MARK --set-xmark 0x0/0xe0000",
		"filter: -A cali-FORWARD -i cali+ -m comment --comment \"cali:7\" -j cali-from-wl-dispatch",
		"filter: -A cali-from-wl-dispatch -i cali1234567890a -m comment --comment \"cali:8\" -g cali-fw-cali1234567890a",
		"filter: -A cali-from-wl-dispatch -m comment --comment \"cali:9\" -m comment --comment \"Unknown interface\" -j DROP",
		"filter: -A cali-fw-cali1234567890a -m comment --comment \"cali:10\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"filter: -A cali-fw-cali1234567890a -m comment --comment \"cali:11\" -m conntrack --ctstate INVALID -j DROP",
		"filter: -A cali-fw-cali1234567890a -p udp -m comment --comment \"cali:12\" -m comment --comment \"Drop VXLAN encapped packets originating in workloads\" -m multiport --dports 4789 -j DROP",
		"filter: -A cali-fw-cali1234567890a -p ipencap -m comment --comment \"cali:13\" -j DROP",
		"filter: -A cali-tw-cali1234567890a -m comment --comment \"cali:14\" -m comment --comment \"Start of policies\" -j MARK --set-xmark 0x0/0x20000",
		"filter: -A cali-tw-cali1234567890a -m comment --comment \"cali:15\" -m mark --mark 0x0/0x20000 -j cali-pi-_abc",
		"filter: -A cali-tw-cali1234567890a -m comment --comment \"cali:16\" -m comment --comment \"Return if policy accepted\" -m mark --mark 0x10000/0x10000 -j RETURN",
		"filter: -A cali-pi-_abc -p tcp -m comment --comment \"cali:17\" -m set --match-set cali40s:xyz src -m multiport --dports 80,443,8000:8080 -j MARK --set-xmark 0x10000/0x10000",
		"filter: -A cali-pi-_abc -p icmp -m comment --comment \"cali:18\" -m icmp --icmp-type 8/0 -j MARK --set-xmark 0x10000/0x10000",
		"filter: -A cali-pi-_abc -m comment --comment \"cali:19\" -m set ! --match-set cali40s:xyz dst -j NFLOG --nflog-prefix \"DPI|default/a\" --nflog-group 1 --nflog-size 80",
		"filter: -A cali-pi-_abc -m comment --comment \"cali:20\" -j LOG --log-prefix \"calico-packet: \" --log-level 5",
		"filter: -A cali-pi-_abc -p tcp -m comment --comment \"cali:21\" -m set --match-set cali40n:np dst,dst -j MARK --set-xmark 0x10000/0x10000",
		"filter: -A cali-wl-to-host -p udp -m comment --comment \"cali:22\" -m udp --dport 53 -j ACCEPT",
		"filter: -A cali-OUTPUT -m comment --comment \"cali:23\" -m mark --mark 0x10000/0x10000 -m conntrack ! --ctstate DNAT -j cali-to-host-endpoint",
		"filter: -A cali-forward-check -p tcp -m comment --comment \"cali:24\" -m comment --comment \"To kubernetes NodePort service\" -m multiport --dports 30000:32767 -m set --match-set cali40this-host dst -g cali-set-endpoint-mark",
		"filter: -A cali-set-endpoint-mark-3 -i cali+ -m comment --comment \"cali:25\" -j MARK --set-xmark 0x100000/0xfff00000",
		"filter: -A cali-from-endpoint-mark -m comment --comment \"cali:26\" -m mark --mark 0xd5500000/0xfff00000 -g cali-fw-cali1234567890a",
		"filter: -A cali-cidr-block -d 10.0.0.0/8 -m comment --comment \"cali:27\" -j DROP",
		"nat: -A cali-POSTROUTING -o tunl0 -m comment --comment \"cali:28\" -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE --random-fully",
		"nat: -A cali-nat-outgoing -m comment --comment \"cali:29\" -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j MASQUERADE --random-fully",
		"nat: -A cali-nat-outgoing -o eth0 -p tcp -m comment --comment \"cali:30\" -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j SNAT --to-source 192.0.2.1:32768-65535 --random-fully",
		"raw: -A cali-PREROUTING -i cali+ -m comment --comment \"cali:31\" -j MARK --set-xmark 0x40000/0x40000",
		"raw: -A cali-PREROUTING -m comment --comment \"cali:32\" -m mark --mark 0x40000/0x40000 -m rpfilter --validmark --invert -j cali-rpf-skip",
		"raw: -A cali-PREROUTING -i cali+ -m comment --comment \"cali:33\" -m rpfilter --loose --validmark --invert -j DROP",
		"raw: -A cali-PREROUTING -p udp -m comment --comment \"cali:34\" -m udp --dport 4789 -j CT --notrack",
		"mangle: -A cali-PREROUTING -m comment --comment \"cali:35\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"mangle: -A cali-POSTROUTING -m comment --comment \"cali:36\" -m conntrack --ctstate DNAT -j cali-to-host-endpoint",
		"mangle: -A cali-qos-policy -m comment --comment \"cali:37\" -j DSCP --set-dscp 0x0a",
		"filter: -A cali-fw-a -m comment --comment \"cali:38\" -m limit --limit 100/sec --limit-burst 5 -j RETURN",
		"filter: -A cali-fw-a -m comment --comment \"cali:39\" -m connlimit --connlimit-above 10 --connlimit-mask 32 --connlimit-saddr -j REJECT --reject-with icmp-port-unreachable",
		"filter: -A cali-pro-a -p 132 -m comment --comment \"cali:40\" -m multiport --sports 1:2 -j RETURN",
		"raw: -A cali-wireguard-incoming-mark -i wireguard.cali -m comment --comment \"cali:41\" -j RETURN",
		"raw: -A cali-wireguard-incoming-mark -m comment --comment \"cali:42\" -j MARK --set-xmark 0x200000/0x200000",
	},
	"Cilium": {
		"raw: -A CILIUM_PRE_raw -m mark --mark 0x200/0xf00 -m comment --comment \"cilium: NOTRACK for proxy traffic\" -j CT --notrack",
		"raw: -A CILIUM_OUTPUT_raw -o lxc+ -m mark --mark 0xa00/0xfffffeff -m comment --comment \"cilium: NOTRACK for proxy return traffic\" -j CT --notrack",
		"raw: -A CILIUM_OUTPUT_raw -d 10.0.0.0/16 -m comment --comment \"cilium: NOTRACK for pod\" -j CT --notrack",
		"mangle: -A CILIUM_PRE_mangle ! -o lo -m socket --transparent -m mark ! --mark 0xe00/0xf00 -m mark ! --mark 0x800/0xf00 -m comment --comment \"cilium: any->pod redirect proxied traffic to host proxy\" -j MARK --set-xmark 0x200/0xffffffff",
		"mangle: -A CILIUM_PRE_mangle -p tcp -m mark --mark 0x3f920200 -m comment --comment \"cilium: TPROXY to host cilium-dns-egress proxy\" -j TPROXY --on-port 37439 --on-ip 127.0.0.1 --tproxy-mark 0x200/0xffffffff",
		"mangle: -A CILIUM_POST_mangle -m mark --mark 0x200/0xf00 -j ACCEPT",
		"filter: -A CILIUM_FORWARD -o cilium_host -m comment --comment \"cilium: any->cluster on cilium_host forward accept\" -j ACCEPT",
		"filter: -A CILIUM_FORWARD -i lxc+ -m comment --comment \"cilium: cluster->any on lxc+ forward accept\" -j ACCEPT",
		"filter: -A CILIUM_INPUT -m mark --mark 0x200/0xf00 -m comment --comment \"cilium: ACCEPT for proxy traffic\" -j ACCEPT",
		"filter: -A CILIUM_OUTPUT -m mark ! --mark 0xe00/0xf00 -m mark ! --mark 0xd00/0xf00 -m mark ! --mark 0x400/0xf00 -m mark ! --mark 0xa00/0xe00 -m mark ! --mark 0x800/0xe00 -m mark ! --mark 0xf00/0xf00 -m comment --comment \"cilium: host->any mark as from host\" -j MARK --set-xmark 0xc00/0xf00",
		"nat: -A CILIUM_POST_nat -s 10.0.0.0/24 ! -d 10.0.0.0/24 ! -o cilium_+ -m comment --comment \"cilium masquerade non-cluster\" -j MASQUERADE --random",
		"nat: -A CILIUM_POST_nat -m mark --mark 0xa00/0xe00 -m comment --comment \"exclude proxy return traffic from masquerade\" -j ACCEPT",
		"nat: -A CILIUM_POST_nat ! -s 10.0.0.0/24 ! -d 10.0.0.0/24 -o cilium_host -m comment --comment \"cilium host->cluster masquerade\" -j SNAT --to-source 10.0.0.1",
		"nat: -A CILIUM_POST_nat -s 127.0.0.1/32 -o cilium_host -m comment --comment \"cilium host->cluster from 127.0.0.1 masquerade\" -j SNAT --to-source 10.0.0.1",
		"nat: -A CILIUM_POST_nat -o cilium_host -m mark --mark 0xf00/0xf00 -m conntrack --ctstate DNAT -m comment --comment \"hairpin traffic that originated from a local pod\" -j SNAT --to-source 10.0.0.1",
		"nat: -A CILIUM_OUTPUT_nat -m set --match-set cilium_node_set_v4 dst -j ACCEPT",
		"nat: -A CILIUM_POST_nat -m policy --dir out --pol ipsec -j ACCEPT",
	},
	"Docker": {
		"nat: -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
		"nat: -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
		"nat: -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
		"nat: -A POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j MASQUERADE",
		"nat: -A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE",
		"nat: -A DOCKER -i docker0 -j RETURN",
		"nat: -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
		"nat: -A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
		"nat: -A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:41234",
		"nat: -A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport 41234 -j SNAT --to-source :53",
		"filter: -A DOCKER-FORWARD -j DOCKER-CT",
		"filter: -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"filter: -A DOCKER-CT -m set --match-set docker-ext-bridges-v4 dst -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"filter: -A DOCKER-FORWARD -m set --match-set docker-ext-bridges-v4 dst -j DOCKER",
		"filter: -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
		"filter: -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2",
		"filter: -A DOCKER-INTERNAL ! -s 172.18.0.0/16 -o br-1234 -j DROP",
		"filter: -A DOCKER ! -i docker0 -o docker0 -j DROP",
		"raw: -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP",
		"raw: -A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP",
		// Swarm
		"nat: -A DOCKER-INGRESS -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.18.0.2:80",
		"mangle: -A PREROUTING -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x100/0xffffffff",
		"mangle: -A INPUT -p udp -m udp --dport 4789 -m u32 --u32 \"0>>22&0x3C@12&0xFFFFFF00=0x100100\" -j MARK --set-xmark 0xd0c4e3/0xffffffff",
		"filter: -A INPUT -p udp -m policy --dir in --pol none -m udp --dport 4789 -m u32 --u32 \"0x0>>0x16&0x3c@0xc&0xffffff00=0x100100\" -j DROP",
		"mangle: -A OUTPUT -p udp -m udp --dport 4789 -m u32 --u32 \"0>>22&0x3C@12&0xFFFFFF00=1048832\" -j MARK --set-xmark 0xd0c4e3/0xffffffff",
	},
	"firewalld": {
		"raw: -A PREROUTING_direct -j ACCEPT",
		"raw: -A PREROUTING -p icmpv6 -m icmp6 --icmpv6-type 134 -j ACCEPT",
		"raw: -A PREROUTING -m rpfilter --validmark --invert -j DROP",
		"raw: -A PREROUTING -m rpfilter --validmark --invert -j LOG --log-prefix \"rpfilter_DROP: \"",
		"filter: -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT",
		"filter: -A INPUT -i lo -j ACCEPT",
		"filter: -A INPUT -m conntrack --ctstate INVALID -j DROP",
		"filter: -A INPUT -j REJECT --reject-with icmp-host-prohibited",
		"filter: -A INPUT_ZONES -i eth0 -g IN_public",
		"filter: -A INPUT_ZONES_SOURCE -s 10.0.0.0/8 -g IN_trusted",
		"filter: -A INPUT_ZONES -g IN_public",
		"filter: -A IN_public -p icmp -j ACCEPT",
		"filter: -A IN_public_allow -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT",
		"filter: -A IN_public_allow -d fe80::/64 -p udp -m udp --dport 546 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT",
		"filter: -A IN_public_allow -m mark --mark 0x64 -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT",
		"filter: -A IN_public_deny -s 10.1.0.0/16 -m limit --limit 3/min -j LOG --log-prefix \"d: \" --log-level 6",
		"filter: -A IN_public_allow -m set --match-set trusted src -p tcp -m tcp --dport 22 -j ACCEPT",
		"filter: -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT",
		"filter: -A FWDI_public -p icmp -m icmp --icmp-type 13 -j REJECT --reject-with icmp-host-prohibited",
		"nat: -A POST_public_allow ! -o lo -j MASQUERADE",
		"nat: -A PRE_public_allow -p tcp -m mark --mark 0x64 -j DNAT --to-destination 10.0.0.1:80",
		"mangle: -A PRE_public_allow -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x64/0xffffffff",
		"mangle: -A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
		"raw: -A PRE_public_allow -p udp -m udp --dport 69 -j CT --helper tftp",
		"filter: -A IN_public_allow -m time --timestart 08:00:00 --timestop 18:00:00 -j ACCEPT",
		"filter: -A IN_public_allow -j AUDIT --type accept",
	},
	"ufw": {
		"filter: -A INPUT -j ufw-before-logging-input",
		"filter: -A ufw-before-input -i lo -j ACCEPT",
		"filter: -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"filter: -A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny",
		"filter: -A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT",
		"filter: -A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT",
		"filter: -A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT",
		"filter: -A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN",
		"filter: -A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN",
		"filter: -A ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN",
		"filter: -A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny",
		"filter: -A ufw-logging-deny -m conntrack --ctstate INVALID -m limit --limit 3/min --limit-burst 10 -j RETURN",
		"filter: -A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW BLOCK] \"",
		"filter: -A ufw-skip-to-policy-input -j DROP",
		"filter: -A ufw-user-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --set --name DEFAULT --mask 255.255.255.255 --rsource",
		"filter: -A ufw-user-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 --name DEFAULT --mask 255.255.255.255 --rsource -j ufw-user-limit",
		"filter: -A ufw-user-limit -m limit --limit 3/min -j LOG --log-prefix \"[UFW LIMIT BLOCK] \"",
		"filter: -A ufw-user-limit -j REJECT --reject-with icmp-port-unreachable",
		"filter: -A ufw-user-input -p tcp -m multiport --dports 80,443 -m comment --comment \"'dapp_Nginx%20Full'\" -j ACCEPT",
		"filter: -A ufw-track-output -p tcp -m conntrack --ctstate NEW -j ACCEPT",
		"filter: -A ufw-before-input -p ah -j ACCEPT",
		"filter: -A ufw6-before-input -p ipv6-icmp -m icmp6 --icmpv6-type 136 -m hl --hl-eq 255 -j ACCEPT",
		"filter: -A ufw6-before-input -m rt --rt-type 0 -j DROP",
		"filter: -A ufw6-before-input -s fe80::/10 -d fe80::/10 -p udp -m udp --sport 547 --dport 546 -j ACCEPT",
	},
	"NodeLocal DNS": {
		"raw: -A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -m comment --comment \"NodeLocal DNS Cache: skip conntrack\" -j NOTRACK",
		"raw: -A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 8080 -m comment --comment \"NodeLocal DNS Cache: skip conntrack\" -j CT --notrack",
		"filter: -A INPUT -d 169.254.20.10/32 -p udp -m udp --dport 53 -m comment --comment \"NodeLocal DNS Cache: allow DNS traffic\" -j ACCEPT",
		"filter: -A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 53 -m comment --comment \"NodeLocal DNS Cache: allow DNS traffic\" -j ACCEPT",
	},
	"kubelet, bridge and portmap CNI plugins": {
		"mangle: -A KUBE-IPTABLES-HINT -j RETURN",
		"nat: -A POSTROUTING -s 10.244.0.5/32 -m comment --comment \"name: \\\"cbr0\\\" id: \\\"abc\\\"\" -j CNI-abc",
		"nat: -A CNI-abc -d 10.244.0.0/24 -m comment --comment \"x\" -j ACCEPT",
		"nat: -A CNI-abc ! -d 224.0.0.0/4 -m comment --comment \"x\" -j MASQUERADE",
		"nat: -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"cbr0\\\"\" -m multiport --dports 8080 -j CNI-DN-abc",
		"nat: -A CNI-HOSTPORT-SETMARK -m comment --comment \"CNI portfwd masquerade mark\" -j MARK --set-xmark 0x2000/0x2000",
		"nat: -A CNI-DN-abc -s 10.244.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK",
		"nat: -A CNI-DN-abc -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.0.5:80",
		"nat: -A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
		"filter: -A CNI-FORWARD -d 10.244.0.5/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
	},
	"AWS VPC CNI, Istio, cloud agents": {
		"nat: -A AWS-SNAT-CHAIN-0 -d 192.168.0.0/16 -m comment --comment \"AWS SNAT CHAIN\" -j RETURN",
		"nat: -A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment \"AWS, SNAT\" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 192.168.1.2 --random-fully",
		"mangle: -A PREROUTING -i eth0 -m comment --comment \"AWS, primary ENI\" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80",
		"mangle: -A PREROUTING -i eni+ -m comment --comment \"AWS, primary ENI\" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80",
		"nat: -A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 53 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
		"nat: -A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN",
		"nat: -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001",
		"mangle: -A ISTIO_DIVERT -j MARK --set-xmark 0x539/0xffffffff",
		"mangle: -A ISTIO_INBOUND -p tcp -m socket --nowildcard -j ISTIO_DIVERT",
		"filter: -A INPUT -p tcp -m tcp --dport 22 -m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr -j REJECT --reject-with tcp-reset",
	},
}

// TestProgramRules reads what programs write: less than two in a hundred of their rules may be unknown.
func TestProgramRules(t *testing.T) {
	for program, lines := range programRules {
		unknown := 0
		for _, line := range lines {
			_, text, _ := strings.Cut(line, ": ")
			s := decodeIPTables(text)
			if s.Target.Kind == TargetJump {
				s.Target.Kind = TargetNone // a chain, which this listing does not have
				if name := s.Target.Name; strings.ToUpper(name) == name && !strings.ContainsAny(name, "-_") && name != "DOCKER" {
					t.Errorf("%s: target %s is not known: %s", program, name, text)
					unknown++
				}
			}
			if a := s.Target.action(); len(s.NotModelled) > 0 || a != nil && a.kind == actUnknown {
				t.Errorf("%s: %q of %s", program, s.NotModelled, text)
				unknown++
			}
		}
		t.Logf("%s: %d of %d rules unknown", program, unknown, len(lines))
	}
}

// programRulesNFT are the same of programs that speak to nf_tables themselves, as `nft list ruleset` shows them.
var programRulesNFT = map[string][]string{
	"kube-proxy": {
		`ip daddr . meta l4proto . th dport vmap @service-ips`,
		`fib daddr type local ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports`,
		`ip daddr 10.96.0.10 tcp dport 53 ip saddr != 10.244.0.0/16 jump mark-for-masquerade`,
		`numgen random mod 2 vmap { 0 : goto endpoint-A, 1 : goto endpoint-B }`,
		`meta l4proto tcp dnat to 10.244.0.2:53`,
		`ip saddr @affinity-A goto endpoint-A`,
		`update @affinity-A { ip saddr }`,
		`meta mark set meta mark | 0x00004000`,
		`meta mark & 0x00004000 != 0 meta mark set meta mark ^ 0x00004000 masquerade fully-random`,
		`ct state new jump firewall-check`,
		`ip daddr . meta l4proto . th dport vmap @firewall-ips`,
		`ct state new ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"`,
		`ip daddr { 10.96.0.0/12 } drop`,
		`fib saddr type local jump service-A`,
		`ct state invalid drop`, `reject`, `drop`,
		`ip saddr 10.244.0.0/24 goto service-A comment "short-circuit pod traffic"`,
	},
	"flannel": {
		`meta mark & 0x00004000 == 0x00004000 return`,
		`ip saddr 10.244.0.0/24 ip daddr 10.244.0.0/16 return`,
		`ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/24 return`,
		`ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random`,
		`ip saddr 10.244.0.0/16 accept`,
	},
	"firewalld": {
		`jump mangle_PREROUTING_ZONES`, `iifname "eth0" goto filter_IN_public`, `iifname "virbr*" goto filter_IN_libvirt`, `goto filter_IN_public`,
		`icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept`,
		`meta nfproto ipv6 fib saddr . mark . iif oif missing drop`,
		`meta nfproto ipv6 fib saddr . iif oif missing log prefix "rpfilter_DROP: " drop`,
		`ct state { established, related } accept`, `ct state established,related accept`, `ct status dnat accept`, `iifname "lo" accept`,
		`ct state invalid drop`, `ct state { invalid } drop`,
		`ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24, 2002:a00::/24, 2002:7f00::/24 } reject with icmpv6 addr-unreachable`,
		`reject with icmpx admin-prohibited`, `reject with icmpx type admin-prohibited`,
		`tcp dport 22 accept`, `tcp dport 22 ct state { new, untracked } accept`, `ip6 daddr fe80::/64 udp dport 546 ct state { new, untracked } accept`,
		`ip saddr 10.0.0.0/8 goto filter_IN_trusted`, `ip saddr @trusted goto filter_IN_trusted`, `meta mark 0x00000064 accept`,
		`meta l4proto { icmp, ipv6-icmp } accept`, `icmp type echo-request reject with icmp host-prohibited`, `ip protocol igmp accept`,
		`oifname != "lo" masquerade`, `meta nfproto ipv4 oifname != "lo" masquerade`,
		`log prefix "filter_IN_drop_DROP: "`, `limit rate 3/minute accept`, `ip saddr 10.1.0.0/16 log prefix "d: " level info limit rate 3/minute drop`,
		`udp dport 69 ct helper set "helper-tftp-udp"`, `tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu`,
		`tcp dport 80 dnat ip to 10.0.0.1:8080`, `tcp dport 80 redirect to :8080`, `tcp dport 80 meta mark set meta mark & 0x00000000 ^ 0x00000064`,
		`tcp dport 80 meta mark set 0x00000064`, `meta pkttype { broadcast, multicast } drop`, `ip daddr 224.0.0.251 udp dport 5353 accept`,
	},
	"Calico": {
		`iifname "cali*" counter packets 0 bytes 0 goto filter-cali-wl-to-host comment "cali:abc"`,
		`meta mark & 0x00010000 == 0x00010000 counter packets 0 bytes 0 accept comment "cali:abc"`,
		`meta mark & 0x00020000 == 0x00000000 counter packets 0 bytes 0 jump filter-cali-pi`,
		`meta mark set meta mark & 0xfff1ffff`, `meta mark set meta mark & 0xfffeffff | 0x00010000`, `meta mark set meta mark | 0x00010000`,
		`ip saddr @cali40all-hosts-net ip protocol 4 fib daddr type local counter packets 0 bytes 0 accept`,
		`meta l4proto ipip ip saddr @cali40all-hosts-net fib daddr type local accept`,
		`udp dport 4789 ip saddr @cali40all-vxlan-net fib daddr type local accept`, `udp dport 4789 drop`,
		`ct state established,related counter packets 0 bytes 0 accept`, `ct state invalid counter packets 0 bytes 0 drop`,
		`iifname vmap @filter-cali-from-wl-dispatch`, `oifname vmap @filter-cali-to-wl-dispatch`,
		`ip daddr . meta l4proto . th dport @cali40n-np meta mark set meta mark | 0x00010000`,
		`meta l4proto tcp tcp dport { 80, 443, 8000-8080 } ip saddr @cali40s-x meta mark set meta mark | 0x00010000`,
		`fib saddr . mark . iif oif 0 counter packets 0 bytes 0 drop`, `fib saddr . mark . iif oif missing drop`, `fib saddr . mark oif 0 drop`,
		`notrack`, `udp dport 4789 notrack`, `log prefix "calico-packet: " level notice`, `log prefix "DPI|default/a" group 1 snaplen 80`,
		`limit rate 100/second burst 5 packets return`,
		`ip saddr @cali40masq-ipam-pools ip daddr != @cali40all-ipam-pools counter packets 0 bytes 0 masquerade fully-random`,
		`oifname "tunl0" fib saddr . oif type != local fib saddr type local masquerade fully-random`,
		`icmp type 8 icmp code 0 meta mark set meta mark | 0x00010000`, `icmp type echo-request`,
		`ip protocol != udp ip daddr 10.0.0.0/8 drop`, `ct status dnat accept`, `meta mark & 0xfff00000 == 0xd5500000 goto filter-cali-fw-a`,
	},
	"Docker": {
		`fib daddr type local counter packets 0 bytes 0 jump nat-prerouting-and-output comment "x"`,
		`ip daddr != 127.0.0.0/8 fib daddr type local counter packets 0 bytes 0 jump nat-prerouting-and-output`,
		`oifname vmap @filter-forward-out-jumps`, `iifname vmap @filter-forward-in-jumps`,
		`ct state established,related counter packets 0 bytes 0 accept`, `ct state vmap { established : accept, related : accept }`,
		`iifname "docker0" counter packets 0 bytes 0 accept comment "outgoing or ICC"`, `oifname != "docker0" ip saddr 172.17.0.0/16 counter masquerade`,
		`iifname != "docker0" ip daddr 172.17.0.2 tcp dport 80 counter accept`, `iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80`,
		`ip daddr 172.17.0.2 iifname != "docker0" counter packets 0 bytes 0 drop`, `fib saddr type local oifname "docker0" counter masquerade`,
		`iifname != "lo" ip daddr 127.0.0.1 tcp dport 8080 counter drop`, `meta l4proto tcp dnat ip to 172.17.0.2:80`,
	},
	"NodeLocal DNS, CNI plugins, libvirt, podman": {
		`ip daddr 169.254.20.10 udp dport 53 notrack`, `ip daddr 169.254.20.10 meta l4proto { tcp, udp } th dport 53 accept`,
		`ip saddr 10.244.0.5 jump cni-masq`, `ip daddr != 224.0.0.0/4 masquerade`, `meta mark & 0x00002000 == 0x00002000 masquerade`,
		`ip saddr . ip daddr @masq_checks return`, `fib daddr type local jump hostports_all`, `meta l4proto . th dport vmap @hostports`,
		`ip daddr . meta l4proto . th dport vmap @hostip_hostports`, `ip saddr 10.88.0.0/16 meta mark set meta mark | 0x2000`,
		`oifname "virbr0" ip daddr 192.168.122.0/24 ct state established,related counter packets 0 bytes 0 accept`,
		`meta l4proto tcp ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 counter packets 0 bytes 0 masquerade to :1024-65535`,
		`oif "virbr0" udp dport 68 counter packets 0 bytes 0 udp checksum set 0`, `tcp dport vmap { 22 : accept, 23 : drop }`,
	},
}

func TestProgramRulesNFT(t *testing.T) {
	for program, lines := range programRulesNFT {
		unknown := 0
		for _, text := range lines {
			s := decodeNFT(text)
			bad := len(s.NotModelled) > 0
			for _, o := range compileNFT(text, false) {
				_, blind := o.match.(blindMatch)
				bad = bad || blind || o.act != nil && o.act.kind == actUnknown
			}
			if bad {
				t.Errorf("%s: %q of %s", program, s.NotModelled, text)
				unknown++
			}
		}
		t.Logf("%s: %d of %d rules unknown", program, unknown, len(lines))
	}
}

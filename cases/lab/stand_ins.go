package main

import (
	"fmt"
	"os"
)

// standIns are scripts in the place of what a machine of namespaces lacks: a service manager, and the scripts by which
// initscripts of RHEL bring a device up and down. Everything else that fixes name is real.
var standIns = map[string]string{
	"systemctl": `#!/bin/sh
# Stands in for systemd: restarts what the lab runs.
verb=$1; shift
[ "$verb" = daemon-reload ] && exit 0
for unit; do
	case ${unit%.service} in
	kubelet) case $verb in start|restart|reload) kill -HUP "$(cat ` + kubeletPID + `)" ;; status|is-active) echo active ;; *) echo "not here: systemctl $verb $unit" >&2; exit 1 ;; esac ;;
	# There is no more of it than the kubelet's stand-in.
	containerd) [ "$verb" != is-active ] || echo active ;;
	network|NetworkManager) ifdown eth0; ifup eth0 ;;
	*) echo "Failed to $verb $unit: Unit $unit not found." >&2; exit 5 ;;
	esac || exit
done
exit 0
`,
	"ifup": `#!/bin/sh
# Brings a device up as its ifcfg file says. The lease of a DHCP client is what /var/lib/dhcp/DEVICE.offer has.
set -e
. /etc/sysconfig/network-scripts/ifcfg-"$1"
ip link set "$1" up
if [ "$BOOTPROTO" = dhcp ]; then
	ip address add "$(cat /var/lib/dhcp/"$1".offer)" dev "$1" valid_lft 86280 preferred_lft 86280
fi
[ -z "$IPADDR" ] || ip address replace "$IPADDR/$PREFIX" dev "$1"
[ -z "$GATEWAY" ] || ip route replace default via "$GATEWAY" dev "$1"
`,
	"ifdown": `#!/bin/sh
set -e
ip address flush dev "$1"
ip link set "$1" down
`,
}

func (m *Machine) installStandIns() error {
	for name, script := range standIns {
		if err := m.WriteFile("usr/local/sbin/"+name, script); err != nil {
			return err
		}
		if err := os.Chmod(m.path("usr/local/sbin/"+name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

const ifcfgFile = "/etc/sysconfig/network-scripts/ifcfg-" + uplink

// ifcfg is the file that configures a node's uplink, as anaconda writes it.
func ifcfg(bootproto, address string) string {
	return fmt.Sprintf(`TYPE="Ethernet"
PROXY_METHOD="none"
BROWSER_ONLY="no"
BOOTPROTO="%s"
DEFROUTE="yes"
IPV4_FAILURE_FATAL="no"
IPV6INIT="no"
NAME="%[2]s"
DEVICE="%[2]s"
IPADDR="%[3]s"
PREFIX="24"
GATEWAY="%[4]s"
ONBOOT="yes"
`, bootproto, uplink, address, gatewayAddress)
}

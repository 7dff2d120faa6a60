# METADATA
# description: A node's sysctls, and how to change them.
package netcause.lib.sysctl

value(node, key) := object.get(node, "sysctls", {})[key].value

fact(node, key) := {
	"fact": key,
	"value": value(node, key),
	"source": object.get(node.sysctls[key], "source", sprintf("sysctl %s", [key])),
}

# of_device is the name of a device's sysctl: sysctl(8) writes a dot of the device's name as a slash.
of_device(family, dev, name) := sprintf("net.%s.conf.%s.%s", [family, replace(dev, ".", "/"), name])

# complete says that a sysctl which is not among those read is none that the kernel has: a whole listing was read.
complete(node) if {
	value(node, "net.ipv4.ip_forward")
	value(node, "net.core.somaxconn")
	value(node, "net.ipv4.conf.all.rp_filter")
}

# set_steps change sysctls now and for good. name is the file's below /etc/sysctl.d.
set_steps(node_name, settings, name) := [
	{
		"node": node_name,
		"run": concat("\n", [sprintf("sysctl -w %s=%s", [key, settings[key]]) | some key in sort(object.keys(settings))]),
	},
	{
		"node": node_name,
		"run": concat("\n", array.concat(
			["mkdir -p /etc/sysctl.d"],
			[sprintf("echo '%s = %s' %s %s", [key, settings[key], _redirect(i), _file(name)]) |
				some i, key in sort(object.keys(settings))
			],
		)),
		"why": sprintf("it keeps them over a reboot. What set them otherwise shows: %s", [_grep(settings)]),
	},
]

_redirect(0) := ">"

_redirect(i) := ">>" if i > 0

# The last file by name counts, and /etc/sysctl.d/99-sysctl.conf is a link to /etc/sysctl.conf.
_file(name) := sprintf("/etc/sysctl.d/99-zz-%s.conf", [name])

_grep(settings) := sprintf("grep -rsE '%s' %s", [concat("|", words), concat(" ", _files)]) if {
	words := {parts[count(parts) - 1] |
		some key in object.keys(settings)
		parts := split(key, ".")
	}
}

_files := ["/etc/sysctl.conf", "/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d"]

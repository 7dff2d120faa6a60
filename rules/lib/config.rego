# METADATA
# description: What the files that configure a link say of it, whatever their format.
package netcause.lib.config

# of_device are the files, or stanzas of files, that configure a device.
of_device(node, dev) := [file |
	some file in node.config_files.interfaces
	_meant_for(file, node, dev)
]

_meant_for(file, _, dev) if _names(file.device, dev)

_meant_for(file, node, dev) if {
	some link in node.links
	link.ifname == dev
	lower(link.address) in split(file.mac_address, " ")
}

# A profile of NetworkManager, or a file of networkd, that names no device is for any.
_meant_for(file, _, _) if {
	file.format in {"keyfile", "networkd"}
	file.device == ""
	object.get(file, "mac_address", "") == ""
}

# networkd has several patterns in one line, and "!" before a line of those that it is not for.
_names(patterns, dev) if {
	not startswith(patterns, "!")
	_one_matches(patterns, dev)
}

_names(patterns, dev) if {
	startswith(patterns, "!")
	not _one_matches(trim_prefix(patterns, "!"), dev)
}

# An alias of ifcfg or ifupdown is an address of its device.
_names(patterns, dev) if startswith(patterns, sprintf("%s:", [dev]))

_one_matches(patterns, dev) if {
	some pattern in split(patterns, " ")
	glob.match(pattern, null, dev)
}

fact(setting) := {
	"fact": setting.key,
	"value": trim_space(setting.text),
	"source": setting.source,
}

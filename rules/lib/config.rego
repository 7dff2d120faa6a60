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

# to_edit are those of some files, or of their addresses, that a person writes; where there are none, all. The files in
# /run are made from others at boot (netplan's from /etc/netplan). key is of the setting that tells the file.
to_edit(list, key) := written if {
	written := [it | some it in list; not _is_generated(it[key].source)]
	count(written) > 0
} else := list

_is_generated(source) if regex.match(`^/?run/(systemd|NetworkManager)/`, source)

# kept_from_cloud_init is the step, where one of some files is cloud-init's, without which that writes it anew at boot.
kept_from_cloud_init(node, sources) := [{
	"node": node.name,
	"run": concat("\n", [
		"mkdir -p /etc/cloud/cloud.cfg.d",
		"echo 'network: {config: disabled}' > /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg",
	]),
	"why": sprintf("cloud-init wrote %s, and would write it anew at the next boot", [theirs[0]]),
}] if {
	theirs := [file | some source in sources; file := split(source, ":")[0]; contains(file, "cloud-init")]
	count(theirs) > 0
} else := []

# unparsed are the lines that were not understood of files that configure a device, or may.
unparsed(node, dev) := [line |
	some file in node.config_files.interfaces
	_may_be_meant_for(file, node, dev)
	some line in file.unparsed
]

_may_be_meant_for(file, node, dev) if _meant_for(file, node, dev)

_may_be_meant_for(file, _, _) if {
	file.device == ""
	count(object.get(file, "settings", [])) == 0
}

fact(setting) := {
	"fact": setting.key,
	"value": trim_space(setting.text),
	"source": setting.source,
}

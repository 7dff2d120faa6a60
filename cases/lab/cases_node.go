package main

// nodeCases are faults of a node's network, its plugin and its tunnels.
func nodeCases() []Case {
	return []Case{
		podNetworkRouteMissing(),
		ipForwardDisabled(),
		forwardChainDrops(),
		overlayPortBlocked(),
		rpFilterDrops(),
		vxlanFDBWrong(),
		vxlanNeighbourWrong(),
		defaultRouteMissing(),
		firewallRejectsServiceTraffic(),
		bridgeNetfilterOff(),
		iptablesBackendsMixed(),
		flannelWrongInterface(),
		cniConfigMissing(),
		podCIDRMissing(),
		duplicatePodCIDR(),
		trapForwardPolicyDrop(),
	}
}

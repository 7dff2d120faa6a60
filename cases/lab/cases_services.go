package main

// serviceCases are faults of Services, their rules and their Pods, and of DNS.
func serviceCases() []Case {
	return []Case{
		serviceSelectorMatchesNothing(), serviceEndpointsNotReady(), dnsServiceWithoutEndpoints(), nothingListensOnPort(), listenerOnLoopbackOnly(),
		serviceTargetPortMismatch(), serviceRulesStale(), externalTrafficPolicyLocalNoEndpoint(), dnsLoop(), podResolvConfWrong(), networkPolicyBlocksDNS(),
	}
}

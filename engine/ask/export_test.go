package ask

// Blackholed is for the tests that ask by way of a rule.
var Blackholed = blackholed

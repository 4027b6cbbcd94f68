package control

// The codes of what goes wrong between a client and a daemon; the reasons that lie in a
// plan are in package planfile. They never change their meaning.
const (
	CodeMalformed      = "HA3020"
	CodeNotPermitted   = "HA3021"
	CodeNoSuchThing    = "HA3022" // a request of another release
	CodeTooLarge       = "HA3023"
	CodeBusy           = "HA3024" // another apply is under way
	CodeRolledBack     = "HA3025" // could not be committed: the plan before runs again
	CodePending        = "HA3027" // a plan waits for its confirmation
	CodeNothingPending = "HA3028" // none does
	CodeNoSuchPlan     = "HA3029" // in the history
	CodeStopping       = "HA3026"
)

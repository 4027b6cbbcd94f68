package lang

import (
	"encoding/json"
	"io/fs"
	"net/netip"
	"time"

	"hafile/lang/diag"
	"hafile/lang/plan"
)

// Inputs is everything that a compilation reads beside its files. The same files and the
// same inputs give the same plans, byte for byte.
type Inputs struct {
	// Vars are -var and -var-file in the order of the command line; the last one wins.
	// They stand above *.auto.havars.hcl, which stand above HAFILE_VAR_x, which stands
	// above the default.
	Vars []Var
	// Env looks up a variable of the environment: HAFILE_VAR_x, and what env() asks
	// for. nil: there is no environment.
	Env func(name string) (string, bool)
	// AllowEnv are the names that env() may read; HAFILE_x is always allowed.
	AllowEnv []string
	// Version of this release, for required_version; empty: not judged.
	Version string
	// Library holds the modules that come with hafile, each in a directory of its name:
	// source = "hafile/NAME". nil: there are none.
	Library fs.FS
	// Deadline ends an evaluation that takes longer: a few nested loops can take a year.
	// What runs then is abandoned, so that the process should end soon; 0: no deadline.
	Deadline time.Duration
	// Node names the one node whose plan is wanted, when the nodes are known and nothing
	// else is: SelectNode answers then. Only its plan is made, and only what it has to do
	// with is proved: its instances against each other, and against what has a VRID or an
	// address of theirs. Everything is evaluated all the same, and every policy judged.
	// Empty, or no node of the files: the plans of all. nil: as well.
	Node func(*Result) string
	// Clock measures expressions, for Result.Timings; nil: nothing is measured.
	Clock func() time.Duration
	// Self lets outputs of the root module say self and mean this node, for whoever asks
	// on the spot; no plan depends on an output. Empty: they cannot.
	Self string
}

// Var is one -var (Name and Value) or one -var-file (File and Data).
type Var struct {
	Name, Value string
	File        string // as messages name it
	Data        []byte // what stands in File
}

// Result is a compiled fleet. After errors it holds what could be compiled, so that
// more than the first mistake is seen; nobody may apply such a plan.
type Result struct {
	Nodes []Node // in the order of their declaration
	// Plans has one normalized and verified plan per node, by its name; that of
	// Inputs.Node alone where one was wanted.
	Plans map[string]*plan.Plan
	// Unsupported is what a node's plan asks for and this release cannot do, with
	// positions: such a plan is sound, and nobody may apply it. See plan.Unsupported.
	Unsupported map[string]diag.Diagnostics
	// Files holds what was read, by the name that ranges use, with the literals of
	// secrets masked: for snippets, never for parsing.
	Files map[string][]byte
	// Hashes is "sha256:…" of every file that was read, file() included.
	Hashes map[string]string
	// Variables is "sha256:…" of each variable's value, or "sensitive".
	Variables map[string]string
	// Env is "sha256:…" of each variable of the environment that env() read.
	Env     map[string]string
	Outputs map[string]Output
	// MaxImpact is what the hafile block lets plan and apply do without a word; empty: not
	// written.
	MaxImpact string
	// Timings are the expressions that took longest, where Inputs.Clock was given.
	Timings []Timing
	// Accepted are the warnings that `hafile { accept = [...] }` silenced.
	Accepted diag.Diagnostics
}

// Node is one machine of the fleet.
type Node struct {
	Name      string
	Address   plan.Addr    // node.lb1, node.lb["ams-1"]
	IP        netip.Addr   // `address`
	IP6       netip.Addr   // `address6`
	Prefix    netip.Prefix // of `address`, where one was written
	Prefix6   netip.Prefix // of `address6`
	Interface string
	Netns     string
	Match     []string // host name globs
	Labels    map[string]string
	SSH       string // HOST or USER@HOST; empty: its address
	Status    string // ADDRESS:PORT of its status listener; empty: none
	Speaks    string // empty: hafile
	Range     diag.Range
}

// Timing is how long one expression took, all of its evaluations together.
type Timing struct {
	Range diag.Range    `json:"range"`
	Took  time.Duration `json:"took_ns"`
}

// Output is a value of the root module.
type Output struct {
	Value       json.RawMessage // nil when sensitive
	Sensitive   bool
	Description string
}

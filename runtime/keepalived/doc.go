// Package keepalived knows a keepalived that runs on this machine: which processes it is,
// and how they are made to stand still, to go on, and to end without a word. It knows
// nothing of what keepalived is configured with; package lang/convert/keepalived does.
//
// keepalived is a parent with a child for VRRP and one more for LVS where it balances. A
// child whose parent dies says goodbye on the wire and takes its addresses down, and a
// parent whose child dies starts another, which takes them down too. So both are stopped
// first (SIGSTOP), the parent before the children, and killed while they stand still:
// neither sees the other's end, and the addresses stay where they are. Until they are
// killed they can go on as if nothing had been, and their peers, which wait for three
// intervals and a skew, have noticed nothing.
package keepalived

// Package lab brings a group of machines up on this one and lets faults and edits happen
// to them: every node in network, mount and process namespaces of its own on one bridge,
// with the real daemon in each, a web server, a relay that keeps the mail, and a client
// that asks every VIP each millisecond. Nothing is named outside of this process, so the
// kernel removes all of it when the process ends, however it ends.
//
//	          segment (bridge)
//	   ┌─────────┬────────┴────────────┐
//	nginx01   nginx02               outside
//	hafile    hafile                client, relay
//	web       web
//
// It knows plans and stories, not files in HCL: the commands that the story needs
// (`hafile apply`) are run as a user would run them, by the binary.
package lab

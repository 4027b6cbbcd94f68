// Package wire turns packets into adverts and back, and checks what a packet can be
// checked for alone; whether an advert belongs to a router is for package vrrp to say.
// Each format has its file:
//
//	message.go   the message of version 2 (RFC 3768, passwords of RFC 2338) and of
//	             version 3 (RFC 9568, 5), addresses of either family
//	checksum.go  its sum, in the forms that are in use
//	ipv4.go      the IPv4 header; raw IPv6 sockets neither want nor give one
//	ah.go        the authentication header between the two (RFC 2402, as keepalived)
//	trailer.go   the signature behind the message (keepalived's auth_hmac)
//
// and what is made of them:
//
//	advert.go    what a packet says
//	parse.go     what is accepted: a [Dialect]
//	append.go    what is sent
//	key.go       the keys of the signature
//	sequence.go  numbers that are never used twice
//	replay.go    numbers that are never accepted twice
//
// Every refusal has a [Reason], whose name is a counter's label and never changes.
//
// Reading and verifying are two steps, because the keys are the router's and the packet
// is the socket's: what Parse accepts under a Dialect with AH or Signed is not believed
// until [AHKey.Verify], or [Replay.Judge], has said so. A Dialect without them refuses
// such packets.
//
// Nothing here allocates once the caller's buffers have grown and each key has been used.
// No secret is printed by any verb of fmt, by encoding/json or by log/slog.
package wire

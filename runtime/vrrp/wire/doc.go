// Package wire turns packets into adverts and back: VRRP version 2 (RFC 3768, with the
// password of RFC 2338) and version 3 (RFC 9568) over IPv4 multicast. It checks what a
// packet can be checked for alone; whether an advert belongs to a router is for package
// vrrp to say.
//
// Every refusal has a Reason, whose name is a counter's label and never changes. What
// this package recognises and does not speak (IPv6, unicast, AH, signed adverts) is
// refused by a reason of its own rather than as damage.
//
// Nothing here allocates once the caller's buffers have grown.
package wire

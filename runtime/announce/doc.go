// Package announce tells a segment where addresses are: by gratuitous ARP and by
// unsolicited neighbour advertisements. It decides when each frame leaves and sends it;
// which addresses are announced, and when that begins and ends, is its caller's to say,
// who announces no address that is not up. It also asks a segment who has an address
// ([Probe]).
package announce

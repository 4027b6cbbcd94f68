// Package rawsock is the sockets of one interface, family and mode: one that receives
// the adverts of our virtual router ids and no others, and one that sends. All routers of
// that kind on the interface share them, so that a hundred of them cost one wake-up.
//
// The modes are multicast and unicast, each plain or with an authentication header,
// which is an IP protocol of its own. Unicast pairs are bound to the source address of
// their routers: there is one for each such address.
//
// The kernel filters by virtual router id. Of adverts with an id of nobody here 1 in 64
// is let through and counted 64 times: a neighbour with a mistyped id stays visible, and
// another group's traffic costs nothing. TTL, checksum, peers and all the rest are not
// the filter's, or their counters would be blind.
//
// What arrives with a signature or an authentication header has been read, not verified:
// the keys are the routers'.
//
// The descriptors are not in the Go runtime's poller. Who owns a Pair waits for FD with
// epoll, and no call here blocks. Next, Queue and Flush belong to one goroutine; the
// other methods may be called by any.
//
// The interface is given by name and index; the sockets are made in the network
// namespace of the calling thread and work from any other.
//
//	config.go   what a pair is for
//	open.go     making its sockets
//	filter.go   what the kernel lets through
//	peers.go    whom a unicast pair hears and speaks to
//	ear.go      receiving; recvmsg.go for IPv6
//	pair.go     the pair: receiving, counting, sending
//	listen.go   receiving alone
package rawsock

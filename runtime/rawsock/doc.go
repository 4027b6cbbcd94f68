// Package rawsock is the sockets of one interface: one that receives the adverts of our
// virtual router ids and no others, and one that sends. All routers of the interface
// share them, so that a hundred of them cost one wake-up.
//
// The kernel filters by virtual router id. Of adverts with an id of nobody here 1 in 64
// is let through and counted 64 times: a neighbour with a mistyped id stays visible, and
// another group's traffic costs nothing. TTL, checksum and all the rest are not the
// filter's, or their counters would be blind.
//
// The descriptors are not in the Go runtime's poller. Who owns a Pair waits for FD with
// epoll, and no call here blocks. Next, Queue and Flush belong to one goroutine; the
// other methods may be called by any.
//
// The interface is given by name and index; the sockets are made in the network
// namespace of the calling thread and work from any other.
package rawsock

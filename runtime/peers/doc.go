// Package peers is what the members of a group tell each other beside their adverts, of
// which only an active sends any: which plan a node runs, in which role it stands in each
// election, and whether it could take the addresses.
//
// A node that has a status address listens there (Server); it is read-only. The others
// ask once a second, and whenever something hangs on the answer (Watcher). Nobody has to
// answer: an election never waits for it, and whoever needs to know what was not said is
// told `unknown`.
//
// Who is trusted. An answer is taken from the address that the plan has for a node, asked
// for from the address that the others have for this one, and only addresses of members
// are answered: all others are closed without a word. There is no key. Whoever can forge a
// TCP connection between members can forge adverts as well, and takes the addresses with
// them; a status address belongs on a network that is the members' own, or into a tunnel.
// What is told is no secret: roles, priorities and addresses stand in adverts, and digests
// are of plans without their secrets.
//
// What a stranger can cost is bounded: connections by source and in all, the time for a
// request, an answer and a pause, the length of a header; a body is never read. An answer
// is made when something has changed and not when somebody asks.
package peers

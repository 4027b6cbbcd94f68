// Package netns makes small networks out of unnamed network namespaces: for tests that
// need real kernels, and for `hafile lab`. Nothing it makes has a name outside this
// process. A namespace lives as long as this process holds its descriptor, one of its
// threads, or a child in it; when all are gone, also by kill -9, the kernel takes it
// away with every link in it.
//
// Go moves goroutines between threads and a namespace belongs to a thread. So a
// function runs inside on a thread of its own ([NS.Do]), and that thread ends with the
// function: one that has been elsewhere never goes back to the scheduler. What is
// opened inside (a socket, a /proc/sys file, a child) stays inside wherever it is used
// afterwards. A goroutine that the function starts is outside.
package netns

package runtime

import "net"

// interfaceAddrs lists the addresses of an interface of the calling thread's namespace.
func interfaceAddrs(name string) ([]string, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	all, err := i.Addrs()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, a := range all {
		out = append(out, a.String())
	}
	return out, nil
}

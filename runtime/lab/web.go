package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
)

// webPort is where the nodes' web servers listen.
const webPort = 80

// ServeWeb is the built-in web server: every request is answered with the node's name.
// It listens on all addresses, as the VIPs come and go.
func ServeWeb(ctx context.Context, node string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", fmt.Sprintf(":%d", webPort))
	if err != nil {
		return err
	}
	defer l.Close()
	context.AfterFunc(ctx, func() { l.Close() })
	body := node + "\n"
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go serve(conn, answer)
	}
}

// serve answers requests until the client closes. A request ends with an empty line:
// nobody here sends a body.
func serve(conn net.Conn, answer []byte) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) != "" {
			continue
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

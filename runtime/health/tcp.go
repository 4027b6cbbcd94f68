package health

import (
	"context"
	"fmt"
	"io"
	"time"

	"hafile/lang/plan"
)

// connection opens a TCP connection, says something if it is to, listens if it is to,
// and closes it.
type connection struct {
	spec *plan.TCP
	dial dialer
}

func newTCP(spec *plan.TCP) *connection { return &connection{spec: spec, dial: direct()} }

func (c *connection) ask(ctx context.Context) (string, error) {
	began := time.Now()
	conn, err := c.dial(ctx, "tcp", c.spec.Address)
	if err != nil {
		return "", because(ctx, err)
	}
	defer conn.Close()
	found := fmt.Sprintf("connected in %v", time.Since(began).Round(100*time.Microsecond))
	defer within(ctx, conn)()
	if _, err := io.WriteString(conn, c.spec.Send); err != nil {
		return found, because(ctx, err)
	}
	if c.spec.Contains == "" {
		return found, nil
	}
	switch there, err := holds(conn, c.spec.Contains); {
	case there:
		return found, nil
	case err != nil:
		return found, because(ctx, err)
	}
	return found, fmt.Errorf("what came back does not hold the text")
}

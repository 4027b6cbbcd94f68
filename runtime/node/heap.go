package node

import "hafile/runtime/vrrp"

// queue is a binary heap of routers by deadline; a deadline of 0 is never. It is written
// out because container/heap costs an interface call for each comparison and this is
// what every wake-up goes through.
type queue []*router

func (q queue) less(i, j int) bool {
	a, b := q[i].deadline, q[j].deadline
	return a != 0 && (b == 0 || a < b)
}

func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i, j
}

// first is the earliest deadline, 0 if there is none.
func (q queue) first() vrrp.Instant {
	if len(q) == 0 {
		return 0
	}
	return q[0].deadline
}

func (q *queue) push(r *router) {
	r.slot = len(*q)
	*q = append(*q, r)
	q.up(r.slot)
}

func (q *queue) remove(r *router) {
	last := len(*q) - 1
	i := r.slot
	if i != last {
		q.swap(i, last)
	}
	(*q)[last] = nil
	*q = (*q)[:last]
	if i != last {
		q.fix((*q)[i])
	}
}

// fix restores the order after r.deadline has changed.
func (q queue) fix(r *router) {
	q.up(r.slot)
	q.down(r.slot)
}

func (q queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if child+1 < len(q) && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return
		}
		q.swap(i, child)
		i = child
	}
}

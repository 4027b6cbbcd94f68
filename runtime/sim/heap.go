package sim

import "time"

// event is something that happens at a moment: a packet arrives, a loop wakes up, or a
// function is called.
type event struct {
	at  time.Duration
	seq uint64 // equal times keep the order in which they were pushed

	do      func()
	packet  *packet
	process *process
	wake    uint64 // of the process: another number has been superseded
}

// queue is a binary heap of events.
type queue struct {
	all []event
	seq uint64
}

func (q *queue) less(i, j int) bool {
	a, b := &q.all[i], &q.all[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) push(e event) {
	q.seq++
	e.seq = q.seq
	q.all = append(q.all, e)
	for i := len(q.all) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.all[i], q.all[parent] = q.all[parent], q.all[i]
		i = parent
	}
}

// next takes the first event that is due until the given moment.
func (q *queue) next(until time.Duration) (event, bool) {
	if len(q.all) == 0 || q.all[0].at > until {
		return event{}, false
	}
	first, last := q.all[0], len(q.all)-1
	q.all[0] = q.all[last]
	q.all[last] = event{}
	q.all = q.all[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first, true
		}
		if child+1 < last && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return first, true
		}
		q.all[i], q.all[child] = q.all[child], q.all[i]
		i = child
	}
}

package render

import (
	"fmt"
	"strings"

	"hafile/lang/diff"
	"hafile/lang/plan"
)

// detail is one line below a thing that is added: a word, its value, a remark.
type detail struct{ sign, word, value, remark string }

func (p *printer) details(ds []detail) {
	for _, d := range ds {
		head := "    "
		if d.sign != "" {
			head += p.paint(signStyle[d.sign], d.sign) + " "
			d.word = clean(d.word)
			p.raw(head + pad(pad(d.word, nameColumnMin-2)+clean(d.value), whereColumn-6) + clean(d.remark))
			continue
		}
		p.raw(head + pad(pad(clean(d.word), nameColumnMin)+clean(d.value), whereColumn-4) + clean(d.remark))
	}
}

func (p *printer) addedCheck(c *diff.Change) {
	check := p.doc.Desired.Check(c.Address)
	if check == nil {
		return
	}
	var ds []detail
	if s := check.Script; s != nil && len(s.Command) > 0 {
		ds = append(ds, detail{word: "command", value: strings.Join(s.Command, " "), remark: fact(p.o.Facts.Programs[s.Command[0]])})
		if s.User != "" {
			ds = append(ds, detail{word: "user", value: s.User})
		}
	}
	rule := fmt.Sprintf("down after %d, up after %d", check.Fall, check.Rise)
	if check.TimeoutMs != check.IntervalMs {
		rule += ", timeout " + short(check.TimeoutMs)
	}
	p.details(append(ds, detail{word: "every " + short(check.IntervalMs), value: join(", ", rule, p.weights(c.Address))}))
}

// weights with which instances track a check.
func (p *printer) weights(a plan.Addr) string {
	var words []string
	seen := map[int]bool{}
	for i := range p.doc.Desired.Instances {
		for _, t := range p.doc.Desired.Instances[i].Track {
			if t.Check == a && !seen[t.Weight] {
				seen[t.Weight] = true
				words = append(words, weight(t.Weight))
			}
		}
	}
	return strings.Join(words, ", ")
}

func weight(n int) string {
	if n == 0 {
		return "no weight"
	}
	return fmt.Sprintf("weight %d", n)
}

func fact(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// short is a duration in the form of the language.
func short(ms int64) string {
	if ms%1000 == 0 {
		return fmt.Sprintf("%ds", ms/1000)
	}
	return fmt.Sprintf("%dms", ms)
}

func (p *printer) addedNotify(c *diff.Change) {
	n := p.doc.Desired.Notify(c.Address)
	if n == nil {
		return
	}
	on := "on " + strings.Join(n.On, ", ")
	if e := n.Email; e != nil {
		p.details([]detail{{word: "email", value: fmt.Sprintf("%s through %s", plural(len(e.To), "recipient"), e.Relay), remark: on}})
	}
	if x := n.Exec; x != nil && len(x.Command) > 0 {
		ds := []detail{{word: "exec", value: strings.Join(x.Command, " "), remark: join(" ", on, fact(p.o.Facts.Programs[x.Command[0]]))}}
		if x.User != "" {
			ds = append(ds, detail{word: "user", value: x.User})
		}
		p.details(ds)
	}
}

func (p *printer) addedInstance(c *diff.Change) {
	in := p.doc.Desired.Instance(c.Address)
	if in == nil {
		return
	}
	ds := []detail{
		{
			word: "interface", value: join(" ", in.Interface, fact(p.o.Facts.Interfaces[in.Interface])),
			remark: fmt.Sprintf("VRRPv%d, %s, VRID %d, every %s", in.Version, in.Transport, in.VRID, short(in.AdvertMs)),
		},
		{word: "priority", value: fmt.Sprint(in.Priority), remark: tracks(in)},
	}
	if in.Auth != nil {
		ds = append(ds, detail{
			word: "auth", value: in.Auth.Type + " " + in.Auth.Password.String(), remark: p.remark(c.Address, codeReadable),
		})
	}
	ds = append(ds, special(in)...)
	for _, v := range in.VIPs {
		on := ""
		if v.Interface != "" && v.Interface != in.Interface {
			on = "on " + v.Interface
		}
		ds = append(ds, detail{sign: "+", word: "vip", value: v.Address.String(), remark: on})
	}
	p.details(ds)
}

// tracks says which priority the instance has while a check counts.
func tracks(in *plan.Instance) string {
	var words []string
	for _, t := range in.Track {
		name := t.Check.Name()
		switch n, moves := diff.PriorityWhile(in, t.Check, t.Weight > 0); {
		case t.Weight == 0:
			words = append(words, "gives way while "+name+" is down")
		case moves && t.Weight < 0:
			words = append(words, fmt.Sprintf("%d while %s is down", n, name))
		case moves:
			words = append(words, fmt.Sprintf("%d while %s is up", n, name))
		}
	}
	return strings.Join(words, ", ")
}

// special is what differs from what people expect of any instance.
func special(in *plan.Instance) []detail {
	def := plan.DefaultInstance()
	var ds []detail
	add := func(differs bool, word, value string) {
		if differs {
			ds = append(ds, detail{word: word, value: value})
		}
	}
	add(in.Preempt != def.Preempt, "preempt", "off: an active node stays active beside a higher priority")
	add(in.Preempt && in.PreemptDelayMs != def.PreemptDelayMs, "delay", short(in.PreemptDelayMs)+" before it preempts")
	add(in.StartDelayMs != def.StartDelayMs, "start", short(in.StartDelayMs)+" after the daemon")
	add(in.DownAdverts != def.DownAdverts, "silence", fmt.Sprintf("%d missed adverts until it takes over", in.DownAdverts))
	return ds
}

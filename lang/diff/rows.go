package diff

// row says how one field of a plan type is compared and what a difference in it means.
type row struct {
	word  string // its name in the language
	key   string // a list of structs: the field by which an element is known
	each  bool   // a list of words: compared one by one
	isKey bool   // the field by which an element of a list is known
	unset bool   // its zero value means "not written"
	skip  bool   // identity, compared before the walk starts

	impact func(*edit, leaf) Impact
}

const (
	rowVIP  = "VIP.Address"
	pathVIP = "vip"
)

// rows has every field of every type of a plan; a test holds the two together. A field
// that is a block or a list of blocks has no impact of its own: its fields have, and a
// list has that of another order.
var rows = map[string]row{
	"Instance.Address":        {skip: true},
	"Instance.Name":           {word: "name", impact: harmless(ReasonName)},
	"Instance.Interface":      {word: "interface", impact: wireIdentity},
	"Instance.Family":         {word: "family", impact: wireIdentity},
	"Instance.VRID":           {word: "router_id", impact: wireIdentity},
	"Instance.Version":        {word: "version", impact: wireIdentity},
	"Instance.Priority":       {word: "priority", impact: priority},
	"Instance.AdvertMs":       {word: "advert_int", impact: advertInterval},
	"Instance.Transport":      {word: "transport", impact: wireIdentity},
	"Instance.SourceAddress":  {word: "source_address", unset: true, impact: sourceAddress},
	"Instance.Checksum":       {word: "checksum", impact: checksum},
	"Instance.Preempt":        {word: "preempt", impact: preempt},
	"Instance.PreemptDelayMs": {word: "preempt_delay", impact: harmless(ReasonTimers)},
	"Instance.StartDelayMs":   {word: "start_delay", impact: harmless(ReasonTimers)},
	"Instance.DownAdverts":    {word: "down_adverts", impact: harmless(ReasonTimers)},
	"Instance.Auth":           {word: "auth"},
	"Instance.Members":        {word: "member", key: "Node", impact: harmless(ReasonOrder)},
	"Instance.VIPs":           {word: pathVIP, key: "Address", impact: harmless(ReasonOrder)},
	"Instance.Track":          {word: "track", key: "Check", impact: harmless(ReasonOrder)},
	"Instance.Notify":         {word: "notify", each: true, impact: harmless(ReasonNotify)},
	"Instance.Announce":       {word: "announce"},

	"Announce.Repeat":    {word: "repeat", impact: harmless(ReasonAnnounce)},
	"Announce.DelayMs":   {word: "delay", impact: harmless(ReasonAnnounce)},
	"Announce.RefreshMs": {word: "refresh", impact: harmless(ReasonAnnounce)},

	"Auth.Type":     {word: "type", impact: authentication},
	"Auth.Password": {word: "password", impact: authentication},

	"Member.Node":     {isKey: true, impact: member},
	"Member.Address":  {word: "address", unset: true, impact: harmless(ReasonMember)},
	"Member.Priority": {word: "priority", impact: memberPriority},

	rowVIP:          {isKey: true, impact: vip},
	"VIP.Interface": {word: "interface", unset: true, impact: vipInterface},

	"Track.Check":  {word: "check", isKey: true, impact: tracked},
	"Track.Weight": {word: "weight", unset: true, impact: weight},

	"Check.Address":    {skip: true},
	"Check.Name":       {word: "name", impact: harmless(ReasonName)},
	"Check.Script":     {},
	"Check.IntervalMs": {word: "interval", impact: harmless(ReasonCheck)},
	"Check.TimeoutMs":  {word: "timeout", impact: harmless(ReasonCheck)},
	"Check.Fall":       {word: "fall", impact: harmless(ReasonCheck)},
	"Check.Rise":       {word: "rise", impact: harmless(ReasonCheck)},

	"Script.Command": {word: "command", impact: harmless(ReasonCheck)},
	"Script.User":    {word: "user", unset: true, impact: harmless(ReasonCheck)},
	"Script.Env":     {word: "env", impact: harmless(ReasonCheck)},

	"Notify.Address": {skip: true},
	"Notify.On":      {word: "on", each: true, impact: harmless(ReasonNotify)},
	"Notify.Exec":    {word: "exec"},
	"Notify.Email":   {word: "email"},

	"Exec.Command":   {word: "command", impact: harmless(ReasonNotify)},
	"Exec.User":      {word: "user", unset: true, impact: harmless(ReasonNotify)},
	"Exec.TimeoutMs": {word: "timeout", impact: harmless(ReasonNotify)},

	"Email.To":        {word: "to", each: true, impact: harmless(ReasonNotify)},
	"Email.From":      {word: "from", impact: harmless(ReasonNotify)},
	"Email.Relay":     {word: "relay", impact: harmless(ReasonNotify)},
	"Email.TimeoutMs": {word: "timeout", impact: harmless(ReasonNotify)},
}

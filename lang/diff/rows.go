package diff

// row says how one field of a plan type is compared and what a difference in it means.
type row struct {
	word  string // its name in the language
	key   string // a list of structs: the field by which an element is known
	each  bool   // a list of words: compared one by one
	isKey bool   // the field by which an element of a list is known
	unset bool   // its zero value means "not written"
	skip  bool   // identity, compared before the walk starts
	keyed bool   // a list of structs that have a Key method

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
	"Instance.MulticastGroup": {word: "multicast_group", unset: true, impact: wireIdentity},
	"Instance.Netns":          {word: "netns", unset: true, impact: wireIdentity},
	"Instance.TTL":            {word: "ttl", impact: peers},
	"Instance.MinTTL":         {word: "min_ttl", unset: true, impact: peers},
	"Instance.MaxTTL":         {word: "max_ttl", impact: peers},
	"Instance.VirtualMAC":     {word: "virtual_mac", unset: true, impact: readded(ReasonVirtualMAC, "answers from another MAC, announced")},
	"Instance.Accept":         {word: "accept", impact: accept},
	"Instance.Lease":          {word: "lease", impact: harmless(ReasonLease)},
	"Instance.Release":        {word: "release", impact: harmless(ReasonRelease)},
	"Instance.PreventRelease": {word: "lifecycle.prevent_release", unset: true, impact: harmless(ReasonGuard)},
	"Instance.Guard":          {word: "guard"},
	"Instance.Routes":         {word: "route", keyed: true, impact: route},
	"Instance.Rules":          {word: "rule", keyed: true, impact: route},
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

	"Auth.Keys":       {word: "key", key: "ID", impact: harmless(ReasonOrder)},
	"Auth.ActiveKey":  {word: "active_key", unset: true, impact: activeKey},
	"Auth.Mode":       {word: "mode", unset: true, impact: hmacMode},
	"Auth.AntiReplay": {word: "anti_replay", unset: true, impact: harmless(ReasonAuth)},
	"Auth.WindowMs":   {word: "window", unset: true, impact: harmless(ReasonAuth)},

	"AuthKey.ID":  {isKey: true, impact: hmacKey},
	"AuthKey.Key": {word: "secret", impact: hmacKey},

	"Guard.MinLivePeers":       {word: "min_live_peers", unset: true, impact: harmless(ReasonGuard)},
	"Guard.NotWhileFlappingMs": {word: "not_while_flapping", unset: true, impact: harmless(ReasonGuard)},
	"Guard.Window":             {word: "window", unset: true, impact: harmless(ReasonGuard)},
	"Guard.RequireBackupReady": {word: "require_backup_ready", unset: true, impact: harmless(ReasonGuard)},

	"Route.To":        {word: "to", impact: route},
	"Route.From":      {word: "from", unset: true, impact: route},
	"Route.Type":      {word: "type", unset: true, impact: route},
	"Route.Via":       {word: "via", unset: true, impact: route},
	"Route.Interface": {word: "interface", unset: true, impact: route},
	"Route.Source":    {word: "source", unset: true, impact: route},
	"Route.Table":     {word: "table", unset: true, impact: route},
	"Route.Metric":    {word: "metric", unset: true, impact: route},
	"Route.Scope":     {word: "scope", unset: true, impact: route},
	"Route.MTU":       {word: "mtu", unset: true, impact: route},
	"Route.OnLink":    {word: "onlink", unset: true, impact: route},
	"Route.NextHops":  {word: "nexthop", keyed: true, impact: route},

	"NextHop.Via":       {word: "via", unset: true, impact: route},
	"NextHop.Interface": {word: "interface", unset: true, impact: route},
	"NextHop.Weight":    {word: "weight", unset: true, impact: route},
	"NextHop.OnLink":    {word: "onlink", unset: true, impact: route},

	"Rule.Priority":       {word: "priority", impact: route},
	"Rule.Not":            {word: "not", unset: true, impact: route},
	"Rule.From":           {word: "from", unset: true, impact: route},
	"Rule.To":             {word: "to", unset: true, impact: route},
	"Rule.IIF":            {word: "iif", unset: true, impact: route},
	"Rule.OIF":            {word: "oif", unset: true, impact: route},
	"Rule.Mark":           {word: "mark", unset: true, impact: route},
	"Rule.Mask":           {word: "mask", unset: true, impact: route},
	"Rule.Action":         {word: "action", unset: true, impact: route},
	"Rule.Table":          {word: "table", unset: true, impact: route},
	"Rule.SuppressPrefix": {word: "suppress_prefix", unset: true, impact: route},

	"Group.Address":        {skip: true},
	"Group.Name":           {word: "name", impact: harmless(ReasonName)},
	"Group.Instances":      {word: "instances", each: true, impact: grouping},
	"Group.Track":          {word: "track", key: "Check", impact: harmless(ReasonOrder)},
	"Group.Notify":         {word: "notify", each: true, impact: harmless(ReasonNotify)},
	"Group.PreventRelease": {word: "lifecycle.prevent_release", unset: true, impact: harmless(ReasonGuard)},

	"Member.Node":     {isKey: true, impact: member},
	"Member.Address":  {word: "address", unset: true, impact: memberAddress},
	"Member.Speaks":   {word: "speaks", unset: true, impact: harmless(ReasonMember)},
	"Member.Status":   {word: "status", unset: true, impact: harmless(ReasonMember)},
	"Member.Priority": {word: "priority", impact: memberPriority},

	rowVIP:          {isKey: true, impact: vip},
	"VIP.Interface": {word: "interface", unset: true, impact: vipInterface},

	"VIP.InstallPrefix": {word: "install_prefix", unset: true, impact: vipReadded},
	"VIP.Label":         {word: "label", unset: true, impact: vipReadded},
	"VIP.Scope":         {word: "scope", unset: true, impact: vipReadded},
	"VIP.Unadvertised":  {word: "unadvertised", unset: true, impact: unadvertised},

	"Track.Check":   {word: "check", isKey: true, impact: tracked},
	"Track.Weight":  {word: "weight", unset: true, impact: weight},
	"Track.Reverse": {word: "reverse", unset: true, impact: weight},

	"Check.Address":    {skip: true},
	"Check.Name":       {word: "name", impact: harmless(ReasonName)},
	"Check.Script":     {},
	"Check.HTTP":       {word: "http"},
	"Check.TCP":        {word: "tcp"},
	"Check.Process":    {word: "process"},
	"Check.File":       {word: "file"},
	"Check.Ping":       {word: "ping"},
	"Check.DNS":        {word: "dns"},
	"Check.Interface":  {word: "interface"},
	"Check.Route":      {word: "route"},
	"Check.Instance":   {word: "instance"},
	"Check.OnFail":     {word: "on_fail", impact: harmless(ReasonCheck)},
	"Check.IntervalMs": {word: "interval", impact: harmless(ReasonCheck)},
	"Check.TimeoutMs":  {word: "timeout", impact: harmless(ReasonCheck)},
	"Check.Fall":       {word: "fall", impact: harmless(ReasonCheck)},
	"Check.Rise":       {word: "rise", impact: harmless(ReasonCheck)},

	"Script.Command": {word: "command", impact: harmless(ReasonCheck)},
	"Script.User":    {word: "user", unset: true, impact: harmless(ReasonCheck)},
	"Script.Env":     {word: "env", impact: harmless(ReasonCheck)},

	"HTTP.URL":        {word: "url", impact: harmless(ReasonCheck)},
	"HTTP.Method":     {word: "method", impact: harmless(ReasonCheck)},
	"HTTP.Expect":     {word: "expect", unset: true, impact: harmless(ReasonCheck)},
	"HTTP.Contains":   {word: "contains", unset: true, impact: harmless(ReasonCheck)},
	"HTTP.Headers":    {word: "headers", impact: harmless(ReasonCheck)},
	"HTTP.ServerName": {word: "server_name", unset: true, impact: harmless(ReasonCheck)},
	"HTTP.CAFile":     {word: "ca_file", unset: true, impact: harmless(ReasonCheck)},
	"HTTP.Insecure":   {word: "insecure", unset: true, impact: harmless(ReasonCheck)},

	"TCP.Address":  {word: "address", impact: harmless(ReasonCheck)},
	"TCP.Send":     {word: "send", unset: true, impact: harmless(ReasonCheck)},
	"TCP.Contains": {word: "contains", unset: true, impact: harmless(ReasonCheck)},

	"Process.Name": {word: "name", impact: harmless(ReasonCheck)},
	"Process.Args": {word: "args", unset: true, impact: harmless(ReasonCheck)},
	"Process.Min":  {word: "min", impact: harmless(ReasonCheck)},
	"Process.Max":  {word: "max", unset: true, impact: harmless(ReasonCheck)},

	"File.Path":     {word: "path", impact: harmless(ReasonCheck)},
	"File.Absent":   {word: "absent", unset: true, impact: harmless(ReasonCheck)},
	"File.Contains": {word: "contains", unset: true, impact: harmless(ReasonCheck)},
	"File.MaxAgeMs": {word: "max_age", unset: true, impact: harmless(ReasonCheck)},
	"File.Value":    {word: "value", unset: true, impact: harmless(ReasonCheck)},

	"Ping.Address":   {word: "address", impact: harmless(ReasonCheck)},
	"Ping.Interface": {word: "interface", unset: true, impact: harmless(ReasonCheck)},

	"DNS.Server": {word: "server", impact: harmless(ReasonCheck)},
	"DNS.Name":   {word: "name", impact: harmless(ReasonCheck)},
	"DNS.Type":   {word: "type", impact: harmless(ReasonCheck)},
	"DNS.Expect": {word: "expect", unset: true, impact: harmless(ReasonCheck)},

	"TrackedInterface.Name":  {word: "name", impact: harmless(ReasonCheck)},
	"TrackedInterface.Netns": {word: "netns", unset: true, impact: harmless(ReasonCheck)},

	"TrackedRoute.To":    {word: "to", impact: harmless(ReasonCheck)},
	"TrackedRoute.Table": {word: "table", unset: true, impact: harmless(ReasonCheck)},

	"TrackedRoute.Netns":      {word: "netns", unset: true, impact: harmless(ReasonCheck)},
	"TrackedInstance.Address": {word: "address", impact: harmless(ReasonCheck)},

	"Notify.Address": {skip: true},
	"Notify.On":      {word: "on", each: true, impact: harmless(ReasonNotify)},
	"Notify.Exec":    {word: "exec"},
	"Notify.Email":   {word: "email"},
	"Notify.Webhook": {word: "webhook"},

	"Exec.Command":   {word: "command", impact: harmless(ReasonNotify)},
	"Exec.User":      {word: "user", unset: true, impact: harmless(ReasonNotify)},
	"Exec.TimeoutMs": {word: "timeout", impact: harmless(ReasonNotify)},

	"Email.To":        {word: "to", each: true, impact: harmless(ReasonNotify)},
	"Email.From":      {word: "from", impact: harmless(ReasonNotify)},
	"Email.Relay":     {word: "relay", impact: harmless(ReasonNotify)},
	"Email.TimeoutMs": {word: "timeout", impact: harmless(ReasonNotify)},

	"Webhook.URL":       {word: "url", impact: harmless(ReasonNotify)},
	"Webhook.Token":     {word: "token", unset: true, impact: harmless(ReasonNotify)},
	"Webhook.Headers":   {word: "headers", impact: harmless(ReasonNotify)},
	"Webhook.CAFile":    {word: "ca_file", unset: true, impact: harmless(ReasonNotify)},
	"Webhook.TimeoutMs": {word: "timeout", impact: harmless(ReasonNotify)},
}

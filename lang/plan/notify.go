package plan

// Notify tells people or programs about a change of role.
type Notify struct {
	Address Addr     `json:"address"`
	Src     Src      `json:"src,omitzero"`
	Via     Via      `json:"via,omitempty"`
	On      []string `json:"on"` // of "active", "backup", "fault", "stop"

	Exec    *Exec    `json:"exec,omitempty"`
	Email   *Email   `json:"email,omitempty"`
	Webhook *Webhook `json:"webhook,omitempty"`
}

// Exec runs a program with keepalived's arguments: INSTANCE name STATE priority.
type Exec struct {
	Command   []string `json:"command"`
	User      string   `json:"user,omitempty"`
	TimeoutMs int64    `json:"timeout_ms"`
}

// DefaultExec is an exec before anything is written in it.
func DefaultExec() Exec { return Exec{TimeoutMs: 10000} }

// Email is sent through one relay, without authentication.
type Email struct {
	To        []string `json:"to"`
	From      string   `json:"from"`
	Relay     string   `json:"relay"` // host:port
	TimeoutMs int64    `json:"timeout_ms"`
}

// DefaultEmail is an email before anything is written in it.
func DefaultEmail() Email { return Email{TimeoutMs: 30000} }

// Webhook posts the event as JSON.
type Webhook struct {
	URL string `json:"url"` // http or https, with a host
	// Token goes into the Authorization header, as a bearer.
	Token     Secret            `json:"token,omitzero"`
	Headers   map[string]string `json:"headers,omitempty"`
	CAFile    string            `json:"ca_file,omitempty"` // replaces the system's roots
	TimeoutMs int64             `json:"timeout_ms"`
}

// DefaultWebhook is a webhook before anything is written in it.
func DefaultWebhook() Webhook { return Webhook{TimeoutMs: 10000} }

notify "mail" {
  on = ["active", "fault"]
  email {
    to      = ["ops@example.net", "oncall@example.net"]
    from    = "ha@example.net"
    relay   = "mail.example.net:25"
    timeout = "30s"
  }
}

notify "chat" {
  on = ["active", "fault"]
  webhook {
    url     = "https://hooks.example.net/ha"
    token   = credential("chat-token")
    headers = { X-Node = self.name }
    ca_file = "/etc/hafile/ca.pem"
    timeout = "5s"
  }
}

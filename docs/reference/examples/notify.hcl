notify "faults" {
  on = ["fault", "stop"]
  email {
    to    = ["ops@example.net"]
    from  = "ha@${self.name}.example.net"
    relay = "127.0.0.1:25"
  }
}

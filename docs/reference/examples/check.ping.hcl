check "uplink" {
  ping {
    address   = "198.51.100.1"
    interface = "eth1"
  }
}

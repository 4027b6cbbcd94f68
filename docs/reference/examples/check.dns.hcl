check "resolver" {
  dns {
    server = "127.0.0.1:53"
    name   = "www.example.net"
    type   = "A"
    expect = ["192.0.2.80"]
  }
}

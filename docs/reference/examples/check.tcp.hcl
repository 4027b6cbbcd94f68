check "redis" {
  tcp {
    address  = "127.0.0.1:6379"
    send     = "PING\r\n"
    contains = "PONG"
  }
}

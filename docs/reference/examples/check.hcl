check "haproxy" {
  http {
    url    = "http://127.0.0.1:8404/healthz"
    expect = [200]
  }
  interval = "500ms"
  timeout  = "300ms"
  fall     = 2
  rise     = 3
}

check "spare_capacity" {
  tcp { address = "127.0.0.1:9000" }
  weight = 10 # up: 10 more
}

check "leader" {
  http { url = "http://127.0.0.1:8008/leader" }
  fall    = 1
  on_fail = "release"
}

check "shop" {
  http {
    url         = "https://127.0.0.1/health"
    method      = "GET"
    expect      = [200, 204]
    contains    = "\"ready\":true"
    headers     = { Host = "shop.example.net" }
    server_name = "shop.example.net"
    ca_file     = "/etc/hafile/ca.pem"
  }
}

check "self_signed" {
  http {
    url      = "https://127.0.0.1:8443/"
    insecure = true
  }
}

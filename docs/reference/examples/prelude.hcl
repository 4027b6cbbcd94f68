node "lb1" {
  address   = "10.0.0.11/24"
  address6  = "2001:db8::11/64"
  interface = "eth0"
}

node "lb2" {
  address   = "10.0.0.12/24"
  address6  = "2001:db8::12/64"
  interface = "eth0"
}

script "nginx" { command = ["/usr/bin/pgrep", "-x", "nginx"] }

check "web" {
  tcp { address = "127.0.0.1:80" }
}

notify "ops" {
  on = ["active", "backup", "fault", "stop"]
  email {
    to    = ["ops@example.net"]
    from  = "ha@example.net"
    relay = "127.0.0.1:25"
  }
}

instance "web" {
  router_id = 51
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.10" }
}

instance "router" {
  router_id = 68
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.68" }

  route {
    to        = "default"
    via       = "10.0.0.254"
    interface = "eth0"
    source    = "10.0.0.68"
    table     = 100
    metric    = 50
    scope     = "global"
    mtu       = 1400
    onlink    = true
  }
  route {
    to   = "10.9.0.0/16"
    type = "blackhole"
  }
}

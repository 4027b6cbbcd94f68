instance "two_ways" {
  router_id = 70
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.70" }

  route {
    to = "10.9.0.0/16"
    nexthop {
      via    = "10.0.0.253"
      weight = 2
    }
    nexthop {
      via       = "10.1.0.1"
      interface = "eth1"
      onlink    = true
    }
  }
}

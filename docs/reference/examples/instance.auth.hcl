instance "old" {
  router_id = 64
  version   = 2
  members   = [node.lb1, node.lb2]

  auth {
    type     = "pass"
    password = credential("vrrp-old")
  }
  vip { address = "10.0.0.64" }
}

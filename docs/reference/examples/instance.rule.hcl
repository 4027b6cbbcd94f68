instance "policy_router" {
  router_id = 71
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.71" }

  rule {
    priority        = 100
    from            = "10.0.0.71"
    to              = "10.9.0.0/16"
    iif             = "eth0"
    oif             = "eth1"
    mark            = 1
    mask            = 255
    table           = 100
    suppress_prefix = 0
  }
  rule {
    priority = 101
    not      = true
    from     = "10.0.0.0/8"
    action   = "prohibit"
  }
}

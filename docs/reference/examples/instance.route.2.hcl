instance "router6" {
  router_id = 69
  members   = [node.lb1, node.lb2]
  vip { address = "fe80::69" }

  route {
    to   = "2001:db8:9::/48"
    via  = "2001:db8::fe"
    from = "2001:db8::/64"
  }
}

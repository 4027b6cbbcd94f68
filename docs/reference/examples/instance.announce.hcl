instance "loud" {
  router_id = 73
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.73" }

  announce {
    repeat  = 5
    delay   = "5s"
    refresh = "60s"
  }
}

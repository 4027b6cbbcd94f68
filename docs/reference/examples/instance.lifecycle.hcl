instance "precious" {
  router_id = 75
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.75" }

  lifecycle { prevent_release = true }
}

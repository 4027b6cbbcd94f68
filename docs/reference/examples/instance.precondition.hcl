instance "careful" {
  router_id = 76
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.76" }

  precondition {
    condition     = self.address6 != null
    error_message = "${self.name} has no IPv6 address."
  }
}

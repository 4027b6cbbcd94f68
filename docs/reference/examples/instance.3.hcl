# A virtual router in the sense of the RFC: it forwards, and answers from its own MAC.
instance "gateway" {
  enabled         = length(node) > 1
  router_id       = 63
  members         = [node.lb1, node.lb2]
  multicast_group = "224.0.0.18"
  checksum        = "rfc9568"
  virtual_mac     = true
  accept          = false
  lease           = "strict"
  release         = "at_once"
  netns           = "blue"

  vip { address = "10.0.0.1" }
}

# Where the network carries no multicast.
instance "cloud" {
  router_id      = 62
  transport      = "unicast"
  ttl            = 64
  min_ttl        = 60
  max_ttl        = 64
  priority       = 100
  source_address = self.address # evaluated for each member

  member "lb1" { priority = 150 }
  member "lb2" {}

  vip { address = "10.0.0.62" }
}

instance "guarded" {
  router_id = 74
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.74" }

  guard {
    min_live_peers       = 1
    not_while_flapping   = "5m"
    window               = "22:00-04:00"
    require_backup_ready = true
  }
}

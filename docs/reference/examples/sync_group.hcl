instance "inside" {
  router_id = 77
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.77" }
}

instance "outside" {
  interface = "eth1"
  router_id = 78
  members   = [node.lb1, node.lb2]
  vip { address = "192.0.2.78" }
}

sync_group "firewall" {
  instances = [instance.inside, instance.outside]
  notify    = [notify.ops]

  track { check = check.web }
  lifecycle { prevent_release = true }
}

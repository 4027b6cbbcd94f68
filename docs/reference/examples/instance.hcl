instance "shop" {
  name          = "SHOP-1" # as hooks and mails call it
  interface     = "eth0"
  router_id     = 61
  version       = 3
  advert_int    = "500ms"
  down_adverts  = 3
  members       = [node.lb1, node.lb2] # in order of preference: 200, 150
  segment       = "front"              # only where prefixes do not tell
  preempt       = true
  preempt_delay = "30s"
  start_delay   = "5s"
  max_failover  = "5s"
  notify        = [notify.ops]

  vip { address = "10.0.0.61" }
  track { script = script.nginx }
}

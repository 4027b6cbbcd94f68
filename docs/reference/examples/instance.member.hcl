instance "uneven" {
  router_id = 66

  member "lb1" {
    priority       = 101
    source_address = node.lb1.address
    notify         = [notify.ops]
  }

  member "lb2" {
    interface     = "ens3" # called otherwise there
    priority      = 100
    netns         = "blue"
    preempt       = false
    preempt_delay = "1m"
    start_delay   = "10s"
    track {
      interface = "ens4"
    }
  }

  vip { address = "10.0.0.66" }
}

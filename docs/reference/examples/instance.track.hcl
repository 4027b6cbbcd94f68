instance "watchful" {
  router_id = 72
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.72" }

  track { check = check.web } # no weight: a failure hands over

  track {
    script = script.nginx
    weight = -60 # for this instance only: 200 - 60 < 150
  }
  track { interface = "eth1" }
  track { instance = instance.web } # up while it is active here
  track {
    route = "10.9.0.0/16"
    table = 100
  }
  track {
    interface = "eth2"
    reverse   = true # up is the failure
  }
}

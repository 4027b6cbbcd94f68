node "lb1" { address = "10.0.0.11" }
node "lb2" { address = "10.0.0.12" }

script "nginx" {
  command = ["/usr/bin/pgrep", "-x", "nginx"]
}

instance "web" {
  interface = "eth0"
  router_id = 51
  members   = [node.lb1, node.lb2] # in order of preference

  vip { address = "10.0.0.10/24" }
  track { script = script.nginx }
}

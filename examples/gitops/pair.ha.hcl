# Two machines, one address. ssh is where hafile rollout reaches each.
node "lb1" {
  address = "10.77.0.1"
  ssh     = "hafile@lb1.example.net"
}

node "lb2" {
  address = "10.77.0.2"
  ssh     = "hafile@lb2.example.net"
}

instance "web" {
  interface = "eth0"
  router_id = 51

  member "lb1" { priority = 150 }
  member "lb2" { priority = 100 }

  vip { address = "10.77.0.100" }
}

node "gw1" {
  address  = "192.0.2.2"
  address6 = "2001:db8:10::2"
}

node "gw2" {
  address  = "192.0.2.3"
  address6 = "2001:db8:10::3"
}

module "lan" {
  source    = "hafile/dual-stack-gateway"
  nodes     = [node.gw1, node.gw2]
  interface = "eth1"
  gateway4  = "192.0.2.1/24"
  gateway6  = "2001:db8:10::1/64"
  uplinks   = ["eth0"]
}

output "gateways" {
  value = module.lan.gateways
}

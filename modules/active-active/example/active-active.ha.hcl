node "lb1" { address = "192.0.2.2" }
node "lb2" { address = "192.0.2.3" }

module "web" {
  source    = "hafile/active-active"
  nodes     = [node.lb1, node.lb2]
  interface = "eth0"
  url       = "http://127.0.0.1:8404/healthz"

  sides = {
    a = { owner = "lb1", router_id = 61, vips = ["192.0.2.10"] }
    b = { owner = "lb2", router_id = 62, vips = ["192.0.2.11"] }
  }
}

output "owners" {
  value = module.web.owners
}

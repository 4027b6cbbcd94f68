variable "router_id" {
  description = "Another one for each pair on the segment."
  type        = number
  default     = 51
}

node "lb1" { address = "10.0.0.11" }
node "lb2" { address = "10.0.0.12" }

module "web" {
  source    = "hafile/web-pair"
  nodes     = [node.lb1, node.lb2] # in order of preference
  interface = "eth0"
  router_id = var.router_id
  vips      = ["10.0.0.10"]
}

output "preferred" {
  value = module.web.preferred
}

# Every machine of the inventory, and one pair for each cluster.

variable "inventory" {
  description = "A file of name,cluster,address,rank; rank 0 is preferred."
  type        = string
}

variable "clusters" {
  description = "Cluster => its VRID and addresses."
  type = map(object({
    vrid = number
    vips = list(string)
  }))
}

locals {
  fleet      = csvdecode(file("${path.root}/${var.inventory}"))
  by_cluster = { for n in local.fleet : n.cluster => n... }
}

node "lb" {
  for_each = { for n in local.fleet : n.name => n }

  address = each.value.address
  ssh     = "root@${each.value.address}" # where hafile rollout reaches it
  labels  = { cluster = each.value.cluster }
}

module "web" {
  source   = "./modules/web-pair"
  for_each = var.clusters

  vrid = each.value.vrid
  vips = each.value.vips

  nodes = {
    for n in local.by_cluster[each.key] : n.name => {
      address  = n.address
      priority = 150 - 50 * n.rank
    }
  }
}

output "owners" {
  description = "Who has the addresses of each cluster while all is well."
  value       = { for k, m in module.web : k => m.preferred }
}

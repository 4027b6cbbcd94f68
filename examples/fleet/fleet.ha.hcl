hafile {
  required_version = "~> 0.1"
}

locals {
  fleet      = csvdecode(file("${path.root}/fleet.csv")) # name,cluster,address,rank
  by_cluster = { for n in local.fleet : n.cluster => n... }

  clusters = {
    ams = { vrid = 41, vips = ["198.51.100.10/24"] }
    fra = { vrid = 42, vips = ["203.0.113.10/24", "203.0.113.11/24"] }
    sin = { vrid = 43, vips = ["192.0.2.10/24"] }
  }
}

node "lb" {
  for_each = { for n in local.fleet : n.name => n }

  address = each.value.address
  labels = {
    cluster = each.value.cluster
    rank    = each.value.rank
  }
}

module "web" {
  source   = "./modules/web-pair"
  for_each = local.clusters

  vrid = each.value.vrid
  vips = each.value.vips

  nodes = {
    for n in local.by_cluster[each.key] : n.name => {
      address  = n.address
      priority = 150 - 25 * n.rank
    }
  }
}

# Moving three hand-written instances under the module keeps them running.
moved {
  from = instance.fra_web
  to   = module.web["fra"].instance.web
}

policy "every_cluster_has_a_spare" {
  assert {
    condition     = alltrue([for k, m in module.web : length(m.vips) > 0])
    error_message = "A cluster without a VIP is a typo."
  }
}

output "owners" {
  value = { for k, m in module.web : k => m.preferred }
}

# What no change may break, whoever writes it.

policy "every_cluster_is_written" {
  assert {
    condition     = alltrue([for n in local.fleet : contains(keys(var.clusters), n.cluster)])
    error_message = "A machine of the inventory is in a cluster that has no addresses."
  }
}

policy "rank_decides" {
  assert {
    condition     = alltrue([for k, m in module.web : m.preferred == [for n in local.by_cluster[k] : n.name if n.rank == "0"][0]])
    error_message = "The machine of rank 0 must be the preferred one of its cluster."
  }
}

policy "every_node_has_a_rack" {
  assert {
    condition     = alltrue([for n in node : contains(keys(n.labels), "rack")])
    error_message = "Write labels = { rack = ... } in each node."
    severity      = "warning"
  }
}

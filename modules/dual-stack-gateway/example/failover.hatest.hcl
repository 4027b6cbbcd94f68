run "the_first_router_is_stopped" {
  simulate {
    at   = "5s"
    stop = node.gw1
  }
  until = "15s"

  assert {
    condition     = alltrue([for vip in ["192.0.2.1/32", "fe80::1/128", "2001:db8:10::1/128"] : run.owner[vip] == "gw2"])
    error_message = "Both families are on the router that is left."
  }
}

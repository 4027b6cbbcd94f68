run "the_web_server_dies_and_comes_back" {
  simulate {
    at   = "5s"
    fail = module.web.check.listen["web"]
    on   = node.lb1
  }
  simulate {
    at      = "30s"
    recover = module.web.check.listen["web"]
    on      = node.lb1
  }
  until = "45s"

  assert {
    condition     = run.unowned["10.0.0.10/32"] < 1
    error_message = "The address is handed over, not dropped."
  }
  assert {
    condition     = length([for t in run.transitions : t if t.node == "lb2" && t.to == "active"]) == 1
    error_message = "lb2 takes over, once."
  }
  assert {
    condition     = run.owner["10.0.0.10/32"] == "lb1"
    error_message = "lb1 is preferred again as soon as its web server is well."
  }
}

run "a_router_id_is_a_byte" {
  variables {
    router_id = 300
  }
  expect = ["HA1012"]
}

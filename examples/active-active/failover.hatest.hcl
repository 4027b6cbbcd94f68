# Both families of a side move together.

run "haproxy_dies_on_lb1" {
  simulate {
    at   = "10s"
    fail = check.haproxy
    on   = node.lb1
  }
  until = "30s"

  assert {
    condition     = run.owner["192.0.2.10/32"] == "lb2" && run.owner["2001:db8:10::10/128"] == "lb2"
    error_message = "Side a is on lb2, in both families."
  }
  assert {
    condition     = run.unowned["192.0.2.11/32"] == 0
    error_message = "Side b was there and notices nothing."
  }
}

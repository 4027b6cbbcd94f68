run "a_machine_dies" {
  simulate {
    at   = "5s"
    kill = node.lb1
  }
  until = "20s"

  assert {
    condition     = run.owner["192.0.2.11/32"] == "lb2" && run.unowned["192.0.2.11/32"] == 0
    error_message = "lb2's own side notices nothing."
  }
  assert {
    condition     = length([for t in run.transitions : t if t.node == "lb2" && t.to == "active"]) == 1
    error_message = "lb2 takes the side of lb1."
  }
}

# hafile test plays this on a simulated clock, hafile lab on real kernels.

run "nginx_dies_on_lb1" {
  simulate {
    at   = "10s"
    fail = script.nginx
    on   = node.lb1
  }
  until = "60s"

  assert {
    condition     = run.owner["10.0.0.10/32"] == "lb2"
    error_message = "The address must follow nginx."
  }
  assert {
    condition     = run.unowned["10.0.0.10/32"] < 1
    error_message = "Nobody may wait for longer than a second."
  }
}

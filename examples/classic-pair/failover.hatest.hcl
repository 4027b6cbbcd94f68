# The promises of a pair that keepalived users know by heart: hafile test examples/classic-pair

run "nginx_dies_on_lb1" {
  simulate {
    at   = "10s"
    fail = script.chk_nginx
    on   = node.lb1
  }
  until = "60s"

  assert {
    condition     = run.owner["172.29.88.222/32"] == "lb2"
    error_message = "The address must follow nginx."
  }
  assert {
    condition     = run.unowned["172.29.88.222/32"] < 1
    error_message = "Nobody may wait for longer than a second: it is handed over."
  }
  assert {
    condition     = length([for m in run.mails : m if m.node == "lb2"]) == 1
    error_message = "lb2 tells of it by mail."
  }
}

run "the_link_of_lb1_is_cut" {
  simulate {
    at  = "10s"
    cut = node.lb1
  }
  until = "30s"

  assert {
    condition     = run.owner["172.29.88.222/32"] == "lb2"
    error_message = "lb2 takes over."
  }
  assert {
    condition     = run.unowned["172.29.88.222/32"] < 7
    error_message = "Three intervals of 2 s, and the skew."
  }
}

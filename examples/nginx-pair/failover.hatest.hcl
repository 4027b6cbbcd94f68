# What the pair goes through, on real kernels:  hafile lab examples/nginx-pair
# Time 0 is when 172.29.88.222 was owned for the first time.

run "faults" {
  simulate {
    at   = "2s"
    fail = script.chk_nginx
    on   = node.nginx01
  }
  simulate {
    at      = "12s"
    recover = script.chk_nginx
    on      = node.nginx01
  }

  simulate {
    at   = "24s"
    stop = node.nginx01
  }
  simulate {
    at    = "26s"
    start = node.nginx01
  }

  simulate {
    at   = "34s"
    kill = node.nginx01
  }
  simulate {
    at    = "42s"
    start = node.nginx01
  }

  simulate {
    at  = "51s"
    cut = node.nginx01
  }
  simulate {
    at   = "59s"
    heal = node.nginx01
  }

  until = "69s"

  assert {
    condition     = run.owner["172.29.88.222/32"] == "nginx01"
    error_message = "After everything is well again the preferred node has the address."
  }
  assert {
    condition     = run.unowned["172.29.88.222/32"] < 7
    error_message = "Nobody may hold the address for longer than 3 x 2 s and the skew."
  }
  assert {
    condition     = length([for t in run.transitions : t if t.node == "nginx02" && t.to == "active"]) == 4
    error_message = "nginx02 takes over four times: for nginx, for the stop, for the kill and for the link."
  }
  assert {
    condition     = length([for m in run.mails : m if m.node == "nginx02"]) >= 4
    error_message = "Every takeover is told by mail."
  }
}

# Twenty edits, each applied on both nodes while clients ask.
run "edits_under_load" {
  dynamic "simulate" {
    for_each = [
      "edits/vip-added", ".",
      "edits/priority-up", ".",
      "edits/script-edited", ".",
      "edits/renamed", ".",
      "edits/second-instance", ".",
      "edits/vip-added", ".",
      "edits/priority-up", ".",
      "edits/script-edited", ".",
      "edits/renamed", ".",
      "edits/second-instance", ".",
    ]
    content {
      at    = 1 + 2 * simulate.key
      apply = simulate.value
    }
  }

  until = "44s"

  assert {
    condition     = run.lost["172.29.88.222/32"].new == 0
    error_message = "No edit may cost a client a connection."
  }
  assert {
    condition     = run.unowned["172.29.88.222/32"] == 0 && run.double["172.29.88.222/32"] == 0
    error_message = "The address has one owner throughout."
  }
  assert {
    condition     = run.owner["172.29.88.222/32"] == "nginx01"
    error_message = "No edit moves the address."
  }
}

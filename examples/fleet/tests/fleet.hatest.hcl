run "who_has_what" {
  assert {
    condition     = output.owners["fra"] == "fra-lb1"
    error_message = "Rank 0 is preferred."
  }
}

run "a_site_loses_a_machine" {
  simulate {
    at   = "5s"
    stop = node.lb["fra-lb1"]
  }
  until = "20s"

  assert {
    condition     = run.owner["203.0.113.10/32"] == "fra-lb2" && run.owner["203.0.113.11/32"] == "fra-lb2"
    error_message = "Both addresses of fra are on the next machine."
  }
  assert {
    condition     = run.owner["198.51.100.10/32"] == "ams-lb1"
    error_message = "The other sites notice nothing."
  }
}

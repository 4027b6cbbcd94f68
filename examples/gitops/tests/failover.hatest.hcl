run "who_has_what" {
  assert {
    condition     = output.owners["ams"] == "ams-lb1" && output.owners["fra"] == "fra-lb1"
    error_message = "Rank 0 is preferred."
  }
}

run "a_site_loses_a_machine" {
  simulate {
    at  = "5s"
    cut = node.lb["ams-lb1"]
  }
  until = "20s"

  assert {
    condition     = run.owner["192.0.2.10/32"] == "ams-lb2" && run.unowned["192.0.2.10/32"] < 4
    error_message = "The other machine of the site takes over within four seconds."
  }
  assert {
    condition     = run.owner["198.51.100.10/32"] == "fra-lb1"
    error_message = "The other site notices nothing."
  }
}

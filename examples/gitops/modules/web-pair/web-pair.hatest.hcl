run "one_machine_is_no_pair" {
  variables {
    vrid  = 51
    vips  = ["192.0.2.10"]
    nodes = { lb1 = { address = "192.0.2.11", priority = 150 } }
  }
  expect = ["HA1012"]
}

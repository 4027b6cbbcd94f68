# The database moves its leader from db1 to db2; db3 never leads.
run "the_leader_changes" {
  simulate {
    at   = "1s"
    fail = module.database.check.leader
    on   = node.db2
  }
  simulate {
    at   = "1s"
    fail = module.database.check.leader
    on   = node.db3
  }
  simulate {
    at   = "10s"
    fail = module.database.check.leader
    on   = node.db1
  }
  simulate {
    at      = "13s"
    recover = module.database.check.leader
    on      = node.db2
  }
  until = "25s"

  assert {
    condition     = run.owner["10.0.0.20/32"] == "db2"
    error_message = "The address is where the leader is."
  }
  assert {
    condition     = run.double["10.0.0.20/32"] == 0
    error_message = "Never on two machines."
  }
  assert {
    condition     = run.unowned["10.0.0.20/32"] > 1 && run.unowned["10.0.0.20/32"] < 5
    error_message = "While nobody leads nobody has it, and then it follows."
  }
}

check "backup_is_fresh" {
  file {
    path     = "/var/lib/backup/state"
    contains = "ok"
    max_age  = "26h"
  }
}

check "no_maintenance" {
  file {
    path   = "/run/maintenance"
    absent = true
  }
}

# A program writes a number: 0 is well, each more is 10 less.
check "load" {
  file {
    path  = "/run/load"
    value = true
  }
  weight = -10
}

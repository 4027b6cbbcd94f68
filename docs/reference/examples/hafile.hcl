hafile {
  required_version = ">= 0.1"
  language         = 1
  accept           = ["HA2102"] # the password is there to keep two groups apart
  env              = ["SITE"]   # env("SITE") may be read
  max_impact       = "stays"
}

notify "hook" {
  on = ["active", "backup", "fault"]
  exec {
    command = ["/etc/hafile/hooks/transition.sh"]
    user    = "hafile-hook"
    timeout = "10s"
  }
}

script "chk_nginx" {
  command  = ["/etc/hafile/check_nginx.sh", "--port", "443"]
  user     = "www-data"
  env      = { LANG = "C" }
  interval = "2s"
  timeout  = "1s"
  fall     = 3
  rise     = 2
  weight   = -20 # down: 20 less
}

script "chk_storage" {
  command = ["/usr/bin/mountpoint", "-q", "/srv"]
  on_fail = "release" # nobody is better than this node
}

# Configuration File for keepalived

hafile {
  required_version = ">= 0.1"
}

# ---------------------------------------------------------------- machines

node "nginx01" { address = "172.29.88.224" }
node "nginx02" { address = "172.29.88.225" }

# ------------------------------------------------------------------ health

script "chk_nginx" {
  #    script "killall -0 nginx"
  command  = ["/etc/keepalived/check_nginx.sh"]
  interval = "2s"
  fall     = 3
  rise     = 2
  weight   = -5 # 101 - 5 = 96 < 100, so a failure moves the VIP
}

# ----------------------------------------------------------- notifications

notify "mail" {
  on = ["active", "backup", "fault", "stop"]

  email {
    to      = ["zhouxiao@example.com", "itsection@example.com"]
    from    = "itsection@example.com"
    relay   = "mail.example.com:25"
    timeout = "30s"
  }
}

# -------------------------------------------------------------------- VRRP

instance "VI_1" {
  interface  = "eth0"
  router_id  = 51
  version    = 2 # PASS exists in VRRPv2 only
  advert_int = "2s"
  notify     = [notify.mail]

  auth {
    type     = "pass"
    password = credential("vrrp-VI_1") # never in this file, a plan or a log
  }

  # Everything above and below is the same on both machines and is checked to
  # be so. Only what stands inside a member block may differ.
  member "nginx01" {
    priority       = 101
    source_address = node.nginx01.address
  }

  member "nginx02" {
    priority       = 100
    source_address = node.nginx02.address
  }

  vip { address = "172.29.88.222" }
  track { script = script.chk_nginx }
}

instance "VI_2" {
  interface = "eth0"
  router_id = 52
  members   = [node.nginx01, node.nginx02] # in order of preference

  vip { address = "172.29.88.230" }
}

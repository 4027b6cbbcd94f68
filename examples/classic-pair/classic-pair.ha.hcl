hafile {
  required_version = ">= 0.1"
}

# ---------------------------------------------------------------- machines

node "lb1" {
  match   = ["lb1", "lb1.example.net"]
  address = "172.29.88.224"
}

node "lb2" {
  match   = ["lb2", "lb2.example.net"]
  address = "172.29.88.225"
}

# ------------------------------------------------------------------ health

script "chk_nginx" {
  command  = ["/etc/hafile/check_nginx.sh"]
  interval = "2s"
  fall     = 3
  rise     = 2
  weight   = -5 # 101 - 5 = 96 < 100, so a dead nginx moves the VIP
}

# ----------------------------------------------------------- notifications

notify "ops_mail" {
  on = ["active", "backup", "fault", "stop"]

  email {
    to      = ["ops@example.net", "oncall@example.net"]
    from    = "ha@${self.name}.example.net"
    relay   = "127.0.0.1:25"
    timeout = "30s"
  }
}

# -------------------------------------------------------------------- VRRP

instance "VI_1" {
  interface  = "eth0"
  router_id  = 51
  version    = 2 # PASS exists in VRRPv2 only
  advert_int = "2s"
  notify     = [notify.ops_mail]

  auth {
    type     = "pass"
    password = credential("vrrp-VI_1") # never in this file, a plan or a log
  }

  # Everything above and below is the same on both machines and is checked to
  # be so. Only what stands inside a member block may differ.
  member "lb1" {
    priority       = 101
    source_address = node.lb1.address
  }

  member "lb2" {
    priority       = 100
    source_address = node.lb2.address
  }

  vip { address = "172.29.88.222" }
  track { script = script.chk_nginx }
}

# Every argument of every block, once at least. What it becomes is in the golden plan.

hafile {
  required_version = ">= 0.1"
  language         = 1
  accept           = ["HA2102"]
  env              = ["SITE"]
  max_impact       = "stays"

  defaults {
    interface     = "eth0"
    version       = 3
    advert_int    = "1s"
    transport     = "multicast"
    ttl           = 255
    min_ttl       = 0
    max_ttl       = 255
    checksum      = "rfc5798"
    down_adverts  = 3
    accept        = true
    virtual_mac   = false
    lease         = "handover"
    release       = "hand_over"
    max_failover  = "1m"
    preempt       = true
    preempt_delay = "10s"
    start_delay   = "5s"
    netns         = "blue"

    announce {
      repeat  = 4
      delay   = "4s"
      refresh = "30s"
    }
  }
}

variable "vrid" {
  type        = number
  default     = 63
  description = "A VRID."
  nullable    = false
  sensitive   = false

  validation {
    condition     = var.vrid < 256
    error_message = "A VRID is 1..255."
  }
}

locals {
  pairs = { x = 71 }
}

node "a" {
  address   = "10.0.0.11/24"
  address6  = "2001:db8::11/64"
  match     = ["a", "a.*"]
  interface = "eth0"
  labels    = { rack = "1" }
  netns     = "blue"
  speaks    = "keepalived-2.2"
  status    = "10.0.0.11:7112"
  ssh       = "root@a"
}

node "b" {
  address  = "10.0.0.12/24"
  address6 = "2001:db8::12/64"
}

node "c" {
  for_each = { c1 = "10.0.0.13" }
  address  = each.value
}

script "s" {
  for_each = toset(["one"])
  command  = ["/bin/check", each.key]
  user     = "nobody"
  env      = { LANG = "C" }
  interval = "2s"
  timeout  = "1s"
  fall     = 2
  rise     = 3
  weight   = -2
  on_fail  = "hand_over"
}

script "s2" { command = ["/bin/true"] }

check "h" {
  for_each = toset(["one"])
  http {
    url         = "https://127.0.0.1/${each.key}"
    method      = "GET"
    expect      = [200, 204]
    contains    = "ok"
    headers     = { Host = "www.example.net" }
    server_name = "www.example.net"
    ca_file     = "/etc/hafile/ca.pem"
    insecure    = false
  }
  interval = "2s"
  timeout  = "1s"
  fall     = 2
  rise     = 3
  weight   = -2
  on_fail  = "release"
}

check "t" {
  tcp {
    address  = "127.0.0.1:6379"
    send     = "PING\r\n"
    contains = "PONG"
  }
}

check "p" {
  process {
    name = "nginx"
    args = ["-g"]
    min  = 1
    max  = 8
  }
}

check "f" {
  file {
    path     = "/run/ok"
    absent   = false
    contains = "yes"
    max_age  = "1h"
    value    = false
  }
}

check "pi" {
  ping {
    address   = "10.0.0.1"
    interface = "eth0"
  }
}

check "d" {
  dns {
    server = "127.0.0.1:53"
    name   = "example.net"
    type   = "AAAA"
    expect = ["2001:db8::1"]
  }
}

notify "w" {
  for_each = toset(["one"])
  on       = ["active", "backup", "fault", "stop"]
  webhook {
    url     = "https://hooks.example.net/${each.key}"
    token   = credential("hook")
    headers = { X-Node = self.name }
    ca_file = "/etc/hafile/ca.pem"
    timeout = "5s"
  }
}

notify "e" {
  on = ["active"]
  exec {
    command = ["/etc/hafile/hook.sh"]
    user    = "nobody"
    timeout = "5s"
  }
}

notify "m" {
  on = ["fault"]
  email {
    to      = ["ops@example.net"]
    from    = "ha@${self.name}.example.net"
    relay   = "127.0.0.1:25"
    timeout = "20s"
  }
}

instance "v6" {
  name            = "V6"
  enabled         = true
  interface       = "eth0"
  router_id       = 61
  version         = 3
  advert_int      = "500ms"
  transport       = "multicast"
  multicast_group = "ff02::99"
  checksum        = "rfc9568"
  down_adverts    = 4
  members         = [node.a, node.b]
  segment         = "lan"
  accept          = false
  virtual_mac     = true
  lease           = "strict"
  release         = "at_once"
  max_failover    = "30s"
  priority        = 120
  source_address  = "fe80::1"
  preempt         = true
  preempt_delay   = "3s"
  start_delay     = "2s"
  notify          = [notify.w["one"]]
  netns           = "blue"

  auth {
    type        = "hmac"
    active_key  = 8
    mode        = "permissive"
    anti_replay = "monotonic"
    window      = "10s"
    key {
      id     = 7
      secret = secret_file("/etc/hafile/keys/7")
    }
    key {
      id     = 8
      secret = credential("eight")
    }
  }

  member "b" {
    interface      = "eth1"
    priority       = 110
    source_address = "fe80::2"
    preempt        = false
    preempt_delay  = "4s"
    start_delay    = "1s"
    notify         = [notify.e]
    netns          = "green"
    track {
      script  = script.s2
      weight  = -3
      reverse = false
    }
    track { check = check.t }
    track { interface = "eth2" }
    track { instance = instance.p["x"] }
    track {
      route = "10.0.0.0/8"
      table = 7
    }
  }

  vip { address = "fe80::61" }
  vip {
    address        = "2001:db8::10/64"
    interface      = "eth0"
    install_prefix = true
  }
  vip {
    address   = "10.0.0.10/24"
    interface = "eth0"
    advertise = false
    scope     = "link"
    label     = "eth0:x"
  }

  route {
    to        = "2001:db8:1::/48"
    via       = "2001:db8::1"
    interface = "eth0"
    type      = "unicast"
    from      = "2001:db8::/64"
    source    = "2001:db8::10"
    table     = 100
    metric    = 50
    scope     = "global"
    mtu       = 1400
    onlink    = true
  }
  route {
    to    = "default"
    table = 100
    nexthop { via = "2001:db8::1" }
    nexthop {
      interface = "eth1"
      weight    = 3
      onlink    = true
    }
  }

  rule {
    priority        = 100
    from            = "2001:db8::10"
    to              = "2001:db8:1::/48"
    not             = true
    iif             = "eth0"
    oif             = "eth1"
    mark            = 1
    mask            = 3
    table           = 100
    suppress_prefix = 0
  }
  rule {
    priority = 101
    action   = "blackhole"
  }

  track { check = check.h["one"] }
  track { check = check.p }
  track { check = check.f }
  track { check = check.pi }
  track { check = check.d }
  track {
    script  = script.s["one"]
    weight  = -4
    reverse = true
  }
  track {
    interface = "eth1.100"
    weight    = 10
  }
  track { instance = instance.u }
  track {
    route = "::/0"
    table = 100
  }

  announce {
    repeat  = 3
    delay   = "2s"
    refresh = 0
  }

  guard {
    min_live_peers       = 1
    not_while_flapping   = "5m"
    window               = "22:00-04:00"
    require_backup_ready = true
  }

  lifecycle { prevent_release = length(["x"]) == 1 }

  precondition {
    condition     = self.name != ""
    error_message = "A node has a name."
  }
}

instance "u" {
  router_id = 62
  transport = "unicast"
  ttl       = 64
  min_ttl   = 60
  max_ttl   = 64
  members   = [node.b, node.a]
  notify    = [notify.m]
  vip { address = "10.0.0.20" }
}

instance "p" {
  for_each  = local.pairs
  router_id = each.value
  version   = 2
  members   = [node.a, node.b]

  auth {
    type     = "pass"
    password = credential("vrrp-${each.key}")
  }
  vip { address = "10.0.0.30" }
}

sync_group "g" {
  for_each  = toset(["x"])
  instances = [instance.p[each.key]]
  notify    = [notify.e]
  track {
    script  = script.s["one"]
    weight  = 0
    reverse = false
  }
  track { check = check.t }
  track { interface = "eth2" }
  track { instance = instance.u }
  track {
    route = "10.0.0.0/8"
    table = 7
  }
  lifecycle { prevent_release = true }
}

module "web" {
  for_each = { one = var.vrid }
  source   = "./pair"
  vrid     = each.value

  precondition {
    condition     = each.value > 0
    error_message = "A VRID is not 0."
  }
}

moved {
  for_each = local.pairs
  from     = instance.old[each.key]
  to       = instance.p[each.key]
}

removed {
  for_each = toset(["gone"])
  from     = instance.gone[each.key]
  release  = "keep_until_peer"
}

policy "all_have_addresses" {
  assert {
    condition     = alltrue([for i in instance.p : length(i.vips) > 0])
    error_message = "An instance without an address is a typo."
    severity      = "warning"
  }
}

output "preferred" {
  value       = module.web["one"].preferred
  description = "Who has the addresses of web."
  sensitive   = false

  precondition {
    condition     = module.web["one"].preferred != ""
    error_message = "Somebody is preferred."
  }
}

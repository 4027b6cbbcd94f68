locals {
  # One entry per side. "owner" normally holds it, the other node stands by.
  sides = {
    a = { owner = "lb1", vrid = 61, v4 = "192.0.2.10/24", v6 = "2001:db8:10::10/64", ll = "fe80::61/64" }
    b = { owner = "lb2", vrid = 62, v4 = "192.0.2.11/24", v6 = "2001:db8:10::11/64", ll = "fe80::62/64" }
  }
}

node "lb1" {
  address  = "192.0.2.2"
  address6 = "2001:db8:10::2"
}

node "lb2" {
  address  = "192.0.2.3"
  address6 = "2001:db8:10::3"
}

check "haproxy" {
  http {
    url    = "http://127.0.0.1:8404/healthz"
    expect = [200]
  }
  interval = "1s"
  fall     = 2
  rise     = 3
}

notify "hooks" {
  on = ["active", "backup", "fault", "stop"]

  exec {
    command = ["/etc/hafile/hooks/transition.sh"]
    user    = "hafile-hook"
    timeout = "10s"
  }
}

instance "v4" {
  for_each = local.sides

  interface  = "bond0"
  router_id  = each.value.vrid
  version    = 3
  advert_int = "500ms"
  transport  = "unicast" # peers = the other members' addresses

  dynamic "member" {
    for_each = node
    labels   = [member.key]
    content {
      priority = member.key == each.value.owner ? 150 : 100
    }
  }

  vip { address = each.value.v4 }
}

instance "v6" {
  for_each = local.sides

  interface      = "bond0"
  router_id      = each.value.vrid
  version        = 3
  advert_int     = "500ms"
  transport      = "unicast"
  source_address = self.address6 # evaluated once per member

  dynamic "member" {
    for_each = node
    labels   = [member.key]
    content {
      priority = member.key == each.value.owner ? 150 : 100
    }
  }

  vip { address = each.value.ll } # RFC 9568: first address is link-local
  vip { address = each.value.v6 }
}

# v4 and v6 of one side always live on the same node.
sync_group "side" {
  for_each = local.sides

  instances = [instance.v4[each.key], instance.v6[each.key]]
  notify    = [notify.hooks]

  track { check = check.haproxy } # unweighted: failure hands both families over
  track { interface = "bond1" }   # lose the backend side, lose the VIPs

  lifecycle {
    prevent_release = true
  }
}

node "lb1" {
  address   = "192.0.2.2/24"
  address6  = "2001:db8::2/64"
  match     = ["lb1", "lb1.*", "web-[0-9].example.net"]
  interface = "eth0"
  labels    = { rack = "r1" }
  netns     = "blue"
  ssh       = "root@lb1.example.net"
  status    = "192.0.2.2:7112"
}

# Not moved yet: keepalived runs there, and edits are judged by what it takes.
node "lb2" {
  address = "192.0.2.3/24"
  speaks  = "keepalived-2.2"
}

# One node for each row; the key is its name: node.rack["lb3"].
node "rack" {
  for_each = { lb3 = "192.0.2.4", lb4 = "192.0.2.5" }
  address  = each.value
}

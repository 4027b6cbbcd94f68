instance "many" {
  router_id = 67
  members   = [node.lb1, node.lb2]

  vip { address = "10.0.0.67/24" } # the prefix proves the segment

  vip {
    address        = "10.0.1.67/24"
    install_prefix = true # and is installed with the address
    label          = "eth0:shop"
    scope          = "global"
  }
  vip {
    address   = "2001:db8::67"
    advertise = false # rides along, in no advert
  }
  vip {
    address   = "172.16.0.67"
    interface = "eth1"
  }
}

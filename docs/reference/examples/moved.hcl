instance "front" {
  router_id = 80
  members   = [node.lb1, node.lb2]
  vip { address = "10.0.0.80" }
}

moved {
  from = instance.shop
  to   = instance.front
}

# Both keys are taken, the second one signs: the step between two keys.
instance "signed" {
  router_id = 65
  members   = [node.lb1, node.lb2]

  auth {
    type        = "hmac"
    active_key  = 2
    mode        = "enforce"
    anti_replay = "time"
    window      = "10s"

    key {
      id     = 1
      secret = credential("vrrp-65-1")
    }
    key {
      id     = 2
      secret = credential("vrrp-65-2")
    }
  }
  vip { address = "10.0.0.65" }
}

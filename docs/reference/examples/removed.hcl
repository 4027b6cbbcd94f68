removed {
  from    = instance.shop
  release = "keep_until_peer"
}

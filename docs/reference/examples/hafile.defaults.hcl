hafile {
  defaults {
    interface  = "bond0"
    advert_int = "500ms"
    preempt    = false

    announce {
      repeat  = 3
      delay   = "2s"
      refresh = "30s"
    }
  }
}

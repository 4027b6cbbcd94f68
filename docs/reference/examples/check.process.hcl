check "nginx" {
  process {
    name = "nginx"
    args = ["-g"]
    min  = 1
    max  = 64
  }
}

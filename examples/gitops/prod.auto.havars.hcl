# Production is what you get without an option.
inventory = "fleet.csv"

clusters = {
  ams = { vrid = 51, vips = ["192.0.2.10"] }
  fra = { vrid = 52, vips = ["198.51.100.10"] }
}

# hafile ... -var-file lab.havars.hcl
inventory = "lab.csv"

clusters = {
  lab = { vrid = 51, vips = ["10.77.0.100"] }
}

node "db1" { address = "10.0.0.21" }
node "db2" { address = "10.0.0.22" }
node "db3" { address = "10.0.0.23" }

module "database" {
  source    = "hafile/database-vip"
  nodes     = [node.db1, node.db2, node.db3]
  interface = "eth0"
  vip       = "10.0.0.20"
}

output "vip" {
  value = module.database.vip
}

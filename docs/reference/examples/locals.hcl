locals {
  sites  = csvdecode("name,vrid\nams,41\nfra,42\n")
  by_key = { for s in local.sites : s.name => tonumber(s.vrid) }
}

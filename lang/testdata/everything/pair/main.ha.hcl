variable "vrid" { type = number }

instance "web" {
  router_id = var.vrid

  dynamic "member" {
    for_each = { a = 150, b = 100 }
    labels   = [member.key]
    content { priority = member.value }
  }

  vip { address = "10.0.0.40" }
}

output "preferred" { value = instance.web.preferred }

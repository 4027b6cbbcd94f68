variable "vrid" {
  type = number
  validation {
    condition     = var.vrid >= 1 && var.vrid <= 255
    error_message = "A VRID is 1..255."
  }
}

variable "vips" {
  type = list(string)
}

variable "interface" {
  type    = string
  default = "eth0"
}

variable "nodes" {
  description = "Member name => address and priority."
  type = map(object({
    address  = string
    priority = optional(number, 100)
  }))
  validation {
    condition     = length(var.nodes) >= 2
    error_message = "A cluster of one cannot fail over."
  }
}

check "nginx" {
  tcp {
    address = "127.0.0.1:443"
  }
  interval = "1s"
}

instance "web" {
  interface = var.interface
  router_id = var.vrid
  version   = 2

  auth {
    type     = "pass"
    password = credential("vrrp-${var.vrid}") # resolved on the node, never in a plan
  }

  dynamic "member" {
    for_each = var.nodes
    labels   = [member.key]
    content {
      priority       = member.value.priority
      source_address = member.value.address
    }
  }

  dynamic "vip" {
    for_each = var.vips
    content {
      address = vip.value
    }
  }

  track { check = check.nginx }
}

output "vips" {
  value = [for v in instance.web.vips : v.address]
}

output "preferred" {
  value = instance.web.preferred
}

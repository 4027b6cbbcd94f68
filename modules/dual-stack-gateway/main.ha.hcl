# The default gateway of a network, for IPv4 and IPv6 together. See README.md.

variable "nodes" {
  description = "The routers, in order of preference: [node.gw1, node.gw2]."
  type        = list(object({ id = string, name = string }))
  validation {
    condition     = length(var.nodes) >= 2 && length(var.nodes) <= 4
    error_message = "Name two to four routers."
  }
}

variable "interface" {
  description = "The network whose gateway this is."
  type        = string
}

variable "gateway4" {
  description = "Its IPv4 address, with the prefix of the network."
  type        = string
  validation {
    condition     = can(cidrhost(var.gateway4, 0)) && can(regex("^[0-9.]+/", var.gateway4))
    error_message = "Write an IPv4 address with its prefix, such as 192.0.2.1/24."
  }
}

variable "gateway6" {
  description = "Its global IPv6 address, with the prefix of the network; null: only the link-local one, which is what hosts learn from router advertisements."
  type        = string
  default     = null
  validation {
    condition     = var.gateway6 == null || can(cidrhost(var.gateway6, 0)) && can(regex(":", var.gateway6))
    error_message = "Write an IPv6 address with its prefix, such as 2001:db8::1/64."
  }
}

variable "link_local" {
  description = "Its IPv6 link-local address: the first of every IPv6 instance (RFC 9568, 5.2.9)."
  type        = string
  default     = "fe80::1"
  validation {
    condition     = can(regex("^[fF][eE]80:", var.link_local))
    error_message = "A link-local address begins with fe80:."
  }
}

variable "router_id" {
  description = "VRID of both families: one per segment, 1 to 255."
  type        = number
  default     = 1
  validation {
    condition     = var.router_id >= 1 && var.router_id <= 255 && floor(var.router_id) == var.router_id
    error_message = "A VRID is a whole number from 1 to 255."
  }
}

variable "uplinks" {
  description = "Interfaces without which a router is no use: it hands both gateways over when one of them is down."
  type        = set(string)
  default     = []
}

variable "notify" {
  description = "Who hears of a change of role: [notify.ops]."
  type        = list(object({ id = string }))
  default     = []
}

instance "v4" {
  interface = var.interface
  router_id = var.router_id
  members   = var.nodes

  vip { address = var.gateway4 }
}

instance "v6" {
  interface = var.interface
  router_id = var.router_id
  members   = var.nodes

  vip { address = var.link_local }
  dynamic "vip" {
    for_each = var.gateway6 == null ? [] : [var.gateway6]
    content {
      address = vip.value
    }
  }
}

# A host that reaches one family over one router and the other over another has two paths
# that fail apart: both gateways are always on the same machine.
sync_group "gateway" {
  instances = [instance.v4, instance.v6]
  notify    = var.notify

  dynamic "track" {
    for_each = var.uplinks
    content {
      interface = track.value
    }
  }
}

output "gateways" {
  description = "All addresses, IPv4 first."
  value       = [for v in concat(instance.v4.vips, instance.v6.vips) : v.address]
}

output "preferred" {
  description = "The router that has them while all is well."
  value       = instance.v4.preferred
}

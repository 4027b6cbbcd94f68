# One address in front of two or more web servers. See README.md.

variable "nodes" {
  description = "The machines, in order of preference: [node.lb1, node.lb2]."
  type        = list(object({ id = string, name = string }))
  validation {
    condition     = length(var.nodes) >= 2
    error_message = "A single machine cannot fail over: name two at least."
  }
  validation {
    condition     = length(var.nodes) <= 4
    error_message = "Order gives priorities to four machines at most: 200, 150, 100, 50."
  }
}

variable "vips" {
  description = "The addresses that clients use; all IPv4 or all IPv6."
  type        = list(string)
  validation {
    condition     = length(var.vips) > 0
    error_message = "Without an address there is nothing to hold."
  }
}

variable "router_id" {
  description = "VRID: one per segment, 1 to 255."
  type        = number
  default     = 51
  validation {
    condition     = var.router_id >= 1 && var.router_id <= 255 && floor(var.router_id) == var.router_id
    error_message = "A VRID is a whole number from 1 to 255."
  }
}

variable "interface" {
  description = "Where the addresses go; null: the interface that each node block names."
  type        = string
  default     = null
}

variable "listen" {
  description = "ADDRESS:PORT on which the web server must take connections; unused beside command."
  type        = string
  default     = "127.0.0.1:80"
  validation {
    condition     = can(regex(":[0-9]+$", var.listen))
    error_message = "Write ADDRESS:PORT, such as 127.0.0.1:443."
  }
}

variable "command" {
  description = "A program that says whether the web server is well, in place of listen."
  type        = list(string)
  default     = null
}

variable "interval" {
  description = "How often that is asked."
  type        = string
  default     = "1s"
}

variable "notify" {
  description = "Who hears of a change of role: [notify.ops]."
  type        = list(object({ id = string }))
  default     = []
}

check "listen" {
  for_each = toset(var.command == null ? ["web"] : [])

  tcp {
    address = var.listen
  }
  interval = var.interval
}

script "command" {
  for_each = toset(var.command == null ? [] : ["web"])

  command  = var.command
  interval = var.interval
}

instance "web" {
  interface = var.interface
  router_id = var.router_id
  members   = var.nodes
  notify    = var.notify

  dynamic "vip" {
    for_each = var.vips
    content {
      address = vip.value
    }
  }

  # Without a weight a failure hands the addresses over, whatever the priorities.
  dynamic "track" {
    for_each = check.listen
    content {
      check = track.value
    }
  }
  dynamic "track" {
    for_each = script.command
    content {
      script = track.value
    }
  }
}

output "vips" {
  description = "The addresses, without prefixes."
  value       = [for v in instance.web.vips : v.address]
}

output "preferred" {
  description = "The node that has them while all is well."
  value       = instance.web.preferred
}

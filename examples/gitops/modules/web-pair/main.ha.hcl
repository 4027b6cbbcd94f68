variable "vrid" {
  type = number
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
    priority = number
  }))
  validation {
    condition     = length(var.nodes) >= 2
    error_message = "A single machine cannot fail over: name two at least."
  }
}

instance "web" {
  interface = var.interface
  router_id = var.vrid

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
    content { address = vip.value }
  }
}

output "preferred" {
  description = "The node that has the addresses while all is well."
  value       = instance.web.preferred
}

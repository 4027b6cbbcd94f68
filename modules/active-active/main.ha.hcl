# Every machine serves, and each is another's spare. See README.md.

variable "nodes" {
  description = "The machines: [node.lb1, node.lb2]."
  type        = list(object({ id = string, name = string }))
  validation {
    condition     = length(var.nodes) >= 2
    error_message = "A single machine cannot fail over: name two at least."
  }
}

variable "sides" {
  description = "Per side: the machine that normally has it, its VRID and its addresses."
  type = map(object({
    owner     = string
    router_id = number
    vips      = list(string)
  }))
  validation {
    condition     = alltrue([for s in var.sides : contains([for n in var.nodes : n.name], s.owner)])
    error_message = "The owner of a side is the name of one of the nodes."
  }
  validation {
    condition     = length(distinct([for s in var.sides : s.router_id])) == length(var.sides)
    error_message = "Each side needs a VRID of its own."
  }
  validation {
    condition     = alltrue([for s in var.sides : length(s.vips) > 0])
    error_message = "Each side needs an address."
  }
}

variable "interface" {
  description = "Where the addresses go; null: the interface that each node block names."
  type        = string
  default     = null
}

variable "transport" {
  description = "How adverts travel: multicast, or unicast where the network carries no multicast."
  type        = string
  default     = "multicast"
}

variable "advert_int" {
  description = "Between adverts. A dead machine is noticed after three of them."
  type        = string
  default     = "1s"
}

variable "url" {
  description = "Asked on each machine every second: anything but 200 hands its sides over."
  type        = string
}

variable "notify" {
  description = "Who hears of a change of role: [notify.ops]."
  type        = list(object({ id = string }))
  default     = []
}

locals {
  # Behind its owner a side goes to the others in the order in which they are listed.
  spare = { for i, n in var.nodes : n.name => 150 - 5 * i }
}

check "service" {
  http {
    url    = var.url
    expect = [200]
  }
  interval = "1s"
  fall     = 2
  rise     = 3
}

instance "side" {
  for_each = var.sides

  interface  = var.interface
  router_id  = each.value.router_id
  advert_int = var.advert_int
  transport  = var.transport
  notify     = var.notify

  dynamic "member" {
    for_each = var.nodes
    labels   = [member.value.name]
    content {
      priority = member.value.name == each.value.owner ? 200 : local.spare[member.value.name]
    }
  }

  dynamic "vip" {
    for_each = each.value.vips
    content {
      address = vip.value
    }
  }

  track { check = check.service }
}

output "owners" {
  description = "Which machine has which side while all is well."
  value       = { for k, i in instance.side : k => i.preferred }
}

output "vips" {
  description = "The addresses of each side: one DNS name that has one of each spreads clients over the machines."
  value       = { for k, i in instance.side : k => [for v in i.vips : v.address] }
}

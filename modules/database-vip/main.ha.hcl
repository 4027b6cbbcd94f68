# The address of a database's leader, wherever the leader is. See README.md.

variable "nodes" {
  description = "The database machines: [node.db1, node.db2, node.db3]."
  type        = list(object({ id = string, name = string }))
  validation {
    condition     = length(var.nodes) >= 2 && length(var.nodes) <= 4
    error_message = "Name two to four machines."
  }
}

variable "vip" {
  description = "The address that the leader answers on."
  type        = string
}

variable "router_id" {
  description = "VRID: one per segment, 1 to 255."
  type        = number
  default     = 52
  validation {
    condition     = var.router_id >= 1 && var.router_id <= 255 && floor(var.router_id) == var.router_id
    error_message = "A VRID is a whole number from 1 to 255."
  }
}

variable "interface" {
  description = "Where the address goes; null: the interface that each node block names."
  type        = string
  default     = null
}

variable "leader_url" {
  description = "Answers 200 on the leader and nowhere else; the default is Patroni's."
  type        = string
  default     = "http://127.0.0.1:8008/leader"
  validation {
    condition     = can(regex("^https?://", var.leader_url))
    error_message = "Write http:// or https:// with host and path."
  }
}

variable "interval" {
  description = "How often a machine asks whether it is the leader."
  type        = string
  default     = "1s"
}

variable "notify" {
  description = "Who hears of a change of role: [notify.ops]."
  type        = list(object({ id = string }))
  default     = []
}

# The database elects; hafile follows. Two machines that write are worse than none, so that
# a machine which is no longer the leader lets go at the first answer that says so, and
# does not wait for another one to take over.
check "leader" {
  http {
    url    = var.leader_url
    expect = [200]
  }
  interval = var.interval
  fall     = 1
  rise     = 1
  on_fail  = "release"
}

instance "leader" {
  interface = var.interface
  router_id = var.router_id
  members   = var.nodes
  notify    = var.notify
  release   = "at_once"
  lease     = "strict"

  vip { address = var.vip }
  track { check = check.leader }
}

output "vip" {
  description = "The address, without a prefix."
  value       = instance.leader.vips[0].address
}

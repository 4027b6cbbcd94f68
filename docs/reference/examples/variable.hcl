variable "password" {
  description = "Of the old group."
  type        = string
  default     = "unset"
  sensitive   = true
}

variable "vips" {
  type = map(object({
    address = string
    label   = optional(string, "web")
  }))
  default  = {}
  nullable = false
}

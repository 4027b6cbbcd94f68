variable "vrid" {
  type    = number
  default = 51

  validation {
    condition     = var.vrid >= 1 && var.vrid <= 255
    error_message = "A VRID is 1..255, and not ${var.vrid}."
  }
}

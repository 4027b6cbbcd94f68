output "addresses" {
  value = [for v in instance.web.vips : v.address]

  precondition {
    condition     = length(instance.web.vips) > 0
    error_message = "There is nothing to give out."
  }
}

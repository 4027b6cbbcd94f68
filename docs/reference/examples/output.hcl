output "preferred" {
  description = "Who normally has the address."
  value       = instance.web.preferred
}

output "token" {
  value     = "x"
  sensitive = true
}

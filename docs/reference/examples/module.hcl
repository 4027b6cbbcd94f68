module "web" {
  source = "hafile/web-pair"

  # Everything else is a variable of the module.
  nodes = [node.lb1, node.lb2]
  vips  = ["10.0.0.79"]

  precondition {
    condition     = length(node) == 2
    error_message = "This is a pair."
  }
}

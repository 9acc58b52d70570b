terraform {
  backend "local" {}
}

variable "image_tag" {}

variable "password" {
  type      = string
  sensitive = true
  default   = "correct horse"
}

module "web" {
  source   = "../stack/web"
  for_each = { blue = 1, green = 2 }

  name     = "web-${each.key}"
  replicas = each.value
  image    = "registry.example/web:${var.image_tag}"
  database = module.database.url
  password = var.password
}

module "database" {
  source = "../stack"
}

module "elsewhere" {
  source  = "terraform-aws-modules/eks/aws"
  version = "20.0.0"
}

output "names" {
  value = { for key, web in module.web : key => web.name }
}

resource "kubernetes_config_map" "names" {
  metadata {
    name      = "names"
    namespace = "web"
  }
  data = { for key, web in module.web : key => web.name }
}

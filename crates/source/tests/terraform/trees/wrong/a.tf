locals {
  one   = local.two
  two   = local.three
  three = local.one
}

resource "kubernetes_config_map" "circle" {
  metadata {
    name      = "circle"
    namespace = "default"
  }
  data = { value = local.one }
}

resource "kubernetes_config_map" "slip" {
  metadata {
    name      = "slip"
    namespace = "default"
  }
  data = { value = local.onee, other = var.missing, third = kubernetes_config_map.circl.id }
}

resource "kubernetes_config_map" "list_each" {
  for_each = ["a", "b"]
  metadata { name = each.value }
}

resource "kubectl_manifest" "two" {
  yaml_body = "apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\napiVersion: v1\nkind: B\nmetadata: {name: b}\n"
}

resource "kubernetes_manifest" "outside" {
  manifest = yamldecode(file("${path.module}/../../../../../../../../etc/hostname"))
}

resource "kubernetes_manifest" "missing" {
  manifest = yamldecode(file("${path.module}/nope.yaml"))
}

resource "kubernetes_manifest" "nameless" {
  manifest = { apiVersion = "v1", kind = "ConfigMap" }
}

resource "kubernetes_manifest" "wrong_types" {
  manifest = {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "wrong-types", namespace = "default" }
    data = {
      sum    = 1 + "x"
      cidr   = cidrsubnet("10.0.0.0/33", 1, 0)
      index  = [1][2]
      object = { a = 1 }.b
      kept   = "kept"
    }
  }
}

resource "kubernetes_config_map" "twice" {
  metadata { name = "first" }
}

resource "kubernetes_config_map" "twice" {
  metadata { name = "second" }
}

variable "count_of" {
  type    = number
  default = "many"
}

resource "kubernetes_config_map" "counted" {
  count = var.count_of
  metadata { name = "counted-${count.index}" }
}

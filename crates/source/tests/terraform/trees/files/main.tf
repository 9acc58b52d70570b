locals {
  documents = [
    for text in split("---\n", file("${path.module}/all.yaml")) :
    yamldecode(text) if trimspace(text) != ""
  ]
}

resource "kubernetes_manifest" "all" {
  for_each = { for object in local.documents : "${object.kind}/${object.metadata.name}" => object }
  manifest = each.value
}

resource "kubernetes_manifest" "set" {
  for_each = fileset(path.module, "manifests/*.yaml")
  manifest = yamldecode(file("${path.module}/${each.value}"))
}

resource "kubernetes_manifest" "template" {
  for_each = toset(["red", "blue"])
  manifest = yamldecode(templatefile("${path.module}/policy.tftpl", { ns = each.key, peers = ["a", "b"] }))
}

resource "kubectl_manifest" "encoded" {
  yaml_body = yamlencode({
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "encoded", namespace = "default" }
    data       = { script = "line 1\nline 2\n", n = "1" }
  })
}

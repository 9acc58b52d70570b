data "aws_eks_cluster" "this" { name = "prod" }
data "kubernetes_namespace" "given" {
  metadata { name = "given" }
}

variable "extra_consumers" { type = list(string) }

resource "random_pet" "it" {}

resource "kubernetes_namespace" "named" {
  metadata { name = "ns-${random_pet.it.id}" }
}

resource "kubernetes_network_policy_v1" "partly" {
  metadata {
    name      = "partly"
    namespace = data.kubernetes_namespace.given.metadata[0].name
  }
  spec {
    pod_selector {}
    policy_types = ["Ingress"]
    ingress {
      from {
        namespace_selector { match_labels = { team = "a" } }
      }
    }
    dynamic "ingress" {
      for_each = var.extra_consumers
      content {
        from {
          namespace_selector { match_labels = { "kubernetes.io/metadata.name" = ingress.value } }
        }
      }
    }
  }
}

resource "kubernetes_manifest" "each_unknown" {
  for_each = toset(var.extra_consumers)
  manifest = {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "fixed", namespace = each.value }
  }
}

resource "kubernetes_manifest" "maybe" {
  count = data.aws_eks_cluster.this.version == "1.30" ? 1 : 0
  manifest = {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "maybe", namespace = "default" }
    data       = { arn = data.aws_eks_cluster.this.arn, fixed = "x" }
  }
}

resource "kubernetes_manifest" "by_workspace" {
  manifest = {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "settings", namespace = terraform.workspace }
    data       = { digest = sha256("x") }
  }
}

resource "helm_release" "cnpg" {
  name       = "cnpg"
  namespace  = kubernetes_namespace.named.metadata[0].name
  chart      = "cloudnative-pg"
  repository = "https://cloudnative-pg.github.io/charts"
}

resource "helm_release" "plain" {
  name  = "plain"
  chart = "./chart"
}

resource "kubectl_manifest" "one" {
  yaml_body = <<-YAML
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: one
      namespace: given
    data:
      on: "yes"
  YAML
}

# Who may reach what. Every namespace with pods needs a place here.
# underpin: allow UP402 -- batch jobs only, no traffic
variable "consumers" {
  type        = map(list(string))
  description = "Namespaces that may reach each guarded namespace"
  default = {
    postgres = [
      "pal-e-app",
      "basketball-api",
      "cnpg-system",
      "monitoring",
    ]
    minio = ["pal-e-app"]
  }
}

locals {
  # renamed from pal-e-production on 29 April
  app_namespace = "pal-e-app"
  guarded       = toset(keys(var.consumers))
}

resource "kubernetes_namespace_v1" "app" {
  metadata {
    name = local.app_namespace
    labels = {
      team = "pal-e"
    }
  }
}

resource "kubernetes_manifest" "default_deny_ingress" {
  for_each = local.guarded

  manifest = {
    apiVersion = "networking.k8s.io/v1"
    kind       = "NetworkPolicy"
    metadata = {
      name      = "default-deny-ingress"
      namespace = each.key
    }
    spec = {
      podSelector = {}
      policyTypes = ["Ingress"]
      ingress = [
        for namespace in var.consumers[each.key] :
        { from = [{ namespaceSelector = { matchLabels = { "kubernetes.io/metadata.name" = namespace } } }] }
      ]
    }
  }
}

resource "kubernetes_network_policy_v1" "allow_egress" {
  metadata {
    name      = "allow-egress"
    namespace = kubernetes_namespace_v1.app.metadata[0].name
  }
  spec {
    pod_selector {}
    policy_types = ["Egress"]
    egress {}
  }
}

resource "kubernetes_network_policy" "ports" {
  metadata {
    name      = "ports"
    namespace = "postgres"
  }
  spec {
    pod_selector {
      match_labels = { app = "postgres" }
      match_expressions {
        key      = "tier"
        operator = "In"
        values   = ["db"]
      }
    }
    policy_types = ["Ingress", "Egress"]
    dynamic "ingress" {
      for_each = var.consumers["postgres"]
      iterator = consumer
      content {
        from {
          namespace_selector {
            match_labels = {
              "kubernetes.io/metadata.name" = consumer.value
            }
          }
        }
        ports {
          port     = "5432"
          protocol = "TCP"
        }
        ports {
          port = "metrics"
        }
      }
    }
    egress {
      to {
        ip_block {
          cidr   = "10.0.0.0/8"
          except = ["10.0.0.0/24", "10.0.1.0/24"]
        }
      }
      ports {
        port     = 8000
        end_port = 9000
        protocol = "UDP"
      }
    }
  }
}

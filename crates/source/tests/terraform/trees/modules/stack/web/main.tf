resource "kubernetes_deployment_v1" "web" {
  metadata {
    name      = var.name
    namespace = "web"
    labels    = local.labels
  }
  spec {
    replicas = var.replicas
    selector {
      match_labels = local.labels
    }
    strategy {
      rolling_update {
        max_surge       = "25%"
        max_unavailable = "1"
      }
    }
    template {
      metadata {
        labels = merge(local.labels, { version = 2 })
      }
      spec {
        host_ipc = false
        image_pull_secrets {
          name = "registry"
        }
        init_container {
          name    = "wait"
          image   = "busybox"
          command = ["sh", "-c", "until nc -z db 5432; do sleep 1; done"]
        }
        container {
          name  = "web"
          image = var.image
          env {
            name  = "DATABASE_URL"
            value = var.database
          }
          env {
            name  = "PASSWORD"
            value = var.password
          }
          env {
            name  = "WORKERS"
            value = 4
          }
          env {
            name = "KEY"
            value_from {
              secret_key_ref {
                name = kubernetes_secret.web.metadata[0].name
                key  = "key"
              }
            }
          }
          env_from {
            config_map_ref {
              name = "web"
            }
          }
          port {
            name           = "http"
            container_port = 8080
          }
          liveness_probe {
            http_get {
              path = "/healthz"
              port = "http"
            }
          }
          readiness_probe {
            http_get {
              path = "/readyz"
              port = "8080"
            }
          }
          resources {
            limits   = { cpu = "1", memory = "1Gi" }
            requests = { cpu = "100m" }
          }
          volume_mount {
            name       = "config"
            mount_path = "/etc/web"
          }
        }
        volume {
          name = "config"
          config_map {
            name         = "web"
            default_mode = "0644"
            items {
              key  = "a"
              path = "a.conf"
            }
          }
        }
      }
    }
  }
  timeouts {
    create = "5m"
  }
  wait_for_rollout = false
}

resource "kubernetes_secret" "web" {
  metadata {
    name      = "${var.name}-keys"
    namespace = "web"
  }
  data = {
    key = var.password
  }
}

locals {
  labels = { app = var.name }
}

output "name" {
  value = kubernetes_deployment_v1.web.metadata[0].name
}

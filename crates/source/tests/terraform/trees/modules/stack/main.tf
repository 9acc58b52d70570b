resource "kubernetes_service" "db" {
  metadata {
    name      = "db"
    namespace = "web"
  }
  spec {
    selector = { app = "db" }
    port {
      port        = 5432
      target_port = "5432"
    }
  }
}

output "url" {
  value = "postgres://${kubernetes_service.db.metadata.0.name}.${kubernetes_service.db.metadata[0].namespace}.svc:${kubernetes_service.db.spec[0].port[0].port}/app"
}

resource "kubernetes_config_map" "before" {
  metadata { name = "before" }
}

resource "kubernetes_secret" "broken" {
  metadata { name = "broken" }
  data = {
    password = "hunter2
  }
}

resource "kubernetes_config_map" "after" {
  metadata { name = "after" }
}

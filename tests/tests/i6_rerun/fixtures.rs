//! The stack of the incident: an ingress controller, and the application behind it.

/// The ingress as its project installs it, cluster-scoped names with a suffix.
pub(crate) fn ingress(suffix: &str, replicas: u32) -> String {
    include_str!("ingress.yaml")
        .replace("SUFFIX", suffix)
        .replace("REPLICAS", &replicas.to_string())
}

/// The application.
pub(crate) fn application(suffix: &str) -> String {
    include_str!("application.yaml").replace("SUFFIX", suffix)
}

//! Service DNS names in text, as `name.namespace.svc.cluster.local:port` and shorter.
//!
//! `mention` finds every host in a text, of URLs, lists and settings; what of them can be a Service
//! is told here. Names with placeholders in them name nothing and are passed over.

mod mention;
mod url;

pub(crate) use mention::{Full, HostName, Mention, Standing, is_label, mentions, only_mention};

/// How a Service name was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostForm {
    /// `name.namespace.svc`, alone or with a domain; nothing else is written so.
    Full,
    /// `name.namespace` as the host of a URL or before a port; may be a host elsewhere.
    TwoLabels,
    /// `name` as the host of a URL; resolved in the namespace of the pod that uses it.
    OneLabel,
}

/// A Service's DNS name found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHost<'a> {
    /// Name of the Service, as written; DNS ignores case.
    pub name: &'a str,
    /// Its namespace, where the name tells.
    pub namespace: Option<&'a str>,
    /// What follows `svc`, such as `cluster.local`.
    pub domain: Option<&'a str>,
    /// The port behind it.
    pub port: Option<u16>,
    /// Byte offset of `name` in the text.
    pub offset: usize,
    /// How it was written.
    pub form: HostForm,
}

/// Endings that hosts on the internet have and namespaces do not.
const PUBLIC_ENDINGS: &[&str] = &["com", "io", "local", "net", "org"];

impl ServiceHost<'_> {
    /// Host and port for people, and nothing around them.
    pub fn display(&self) -> String {
        let mut text = self.name.to_owned();
        if let Some(namespace) = self.namespace {
            text.push('.');
            text.push_str(namespace);
        }
        if self.form == HostForm::Full {
            text.push_str(".svc");
        }
        if let Some(port) = self.port {
            text.push(':');
            text.push_str(&port.to_string());
        }
        text
    }

    /// Whether what follows `svc` is a cluster's domain: nothing, `cluster.local`, or what people
    /// use in its place. `api.prod.svc.example.com` may be anywhere.
    pub fn is_cluster_domain(&self) -> bool {
        self.domain.is_none_or(is_cluster_domain)
    }
}

/// Whether what follows `svc` looks like the domain of a cluster.
pub(crate) fn is_cluster_domain(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    domain == "local"
        || domain
            .strip_suffix("local")
            .is_some_and(|rest| rest.ends_with('.'))
        || domain.starts_with("cluster.")
}

/// Every Service name in `text`, by offset. Full names are found anywhere; `name.namespace` as
/// host of a URL or with a port; a bare `name` only as host of a URL.
pub fn service_hosts(text: &str) -> Vec<ServiceHost<'_>> {
    let found = mentions(text).into_iter();
    found.filter_map(|mention| service_host(&mention)).collect()
}

fn service_host<'a>(mention: &Mention<'a>) -> Option<ServiceHost<'a>> {
    let in_url = matches!(mention.standing, Standing::Url(_));
    let (name, namespace, domain, form, before) = match mention.name {
        HostName::Service(ref full) => {
            let Full {
                name,
                namespace,
                domain,
                before,
            } = *full;
            (name, Some(namespace), domain, HostForm::Full, before)
        }
        HostName::Labels(text) => {
            let (name, namespace, form) = short(text, in_url, mention.port.is_some())?;
            (name, namespace, None, form, 0)
        }
        HostName::Address(_) | HostName::Pod { .. } => return None,
    };
    Some(ServiceHost {
        name,
        namespace,
        domain,
        port: mention.port,
        offset: mention.offset + before,
        form,
    })
}

/// `name.namespace` with a port or as host of a URL, `name` as host of a URL.
fn short(text: &str, in_url: bool, has_port: bool) -> Option<(&str, Option<&str>, HostForm)> {
    let labels: Vec<&str> = text.split('.').collect();
    let (name, namespace, form) = match labels[..] {
        [name, namespace] if in_url || has_port => (name, Some(namespace), HostForm::TwoLabels),
        [name] if in_url => (name, None, HostForm::OneLabel),
        _ => return None,
    };
    let is_service = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_namespace = namespace.is_none_or(|namespace| {
        !namespace.bytes().all(|byte| byte.is_ascii_digit())
            && !PUBLIC_ENDINGS
                .iter()
                .any(|ending| namespace.eq_ignore_ascii_case(ending))
    });
    let is_local = name.eq_ignore_ascii_case("localhost");
    (is_service && is_namespace && !is_local).then_some((name, namespace, form))
}

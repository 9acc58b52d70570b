//! From a host in a text to what is connected to, and how sure that is.

use underpin_model::{Confidence, PortRef, Protocol, Supplier};

use super::{
    directory::Directory,
    key::Hint,
    scheme::{self, Scheme},
};
use crate::host::{Full, HostName, Mention, Standing, is_cluster_domain};

/// What text a host stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// A value that a process is started with.
    Value,
    /// A file that it is given, where a host may be an example or a leftover.
    File,
}

/// A supplier that a text names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sighting {
    pub(super) to: Supplier,
    pub(super) protocol: Protocol,
    pub(super) port: Option<u16>,
    pub(super) confidence: Confidence,
}

/// What is known of where a text stands.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) directory: &'a Directory<'a>,
    /// The namespace in which bare names are looked up.
    pub(super) namespace: &'a str,
    /// The domain of the cluster, where it is told.
    pub(super) cluster_domain: Option<&'a str>,
    pub(super) trust: Trust,
    pub(super) hint: Hint,
    /// Whether the text is of a Secret, where what could be a part of a password counts for nothing.
    pub(super) is_secret: bool,
}

/// How a host stands in its text, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As host of a URL.
    Url,
    /// As what a setting says to connect to.
    Setting,
    /// Before a port.
    Port,
    /// Anywhere.
    Text,
}

/// Endings of names that are files, not hosts.
const FILE_ENDINGS: &[&str] = &[
    "bin", "cfg", "class", "conf", "crt", "css", "csv", "dll", "env", "exe", "gz", "html", "ini",
    "jar", "js", "json", "key", "lock", "log", "lua", "md", "pem", "php", "pid", "py", "rb", "sh",
    "so", "sock", "sql", "tar", "tgz", "toml", "ts", "txt", "war", "xml", "yaml", "yml", "zip",
];

/// Hosts that stand in texts as names of formats.
const NAMES_OF_FORMATS: &[&str] = &[
    "java.sun.com",
    "json-schema.org",
    "schemas.microsoft.com",
    "schemas.xmlsoap.org",
    "www.springframework.org",
    "www.w3.org",
    "xmlns.jcp.org",
];

/// Endings under which hosts on the internet are, beyond those of two letters.
const PUBLIC_ENDINGS: &[&str] = &[
    "app",
    "biz",
    "cloud",
    "com",
    "corp",
    "dev",
    "edu",
    "gov",
    "home",
    "info",
    "internal",
    "int",
    "lan",
    "local",
    "localdomain",
    "mil",
    "net",
    "network",
    "online",
    "org",
    "page",
    "run",
    "shop",
    "site",
    "store",
    "tech",
    "xyz",
];

impl Surroundings<'_> {
    /// What a mention comes to; `None` where it is nothing to connect to, or too little to tell.
    /// `port` is what stands elsewhere, such as in the setting of the port.
    pub(super) fn sighting(
        &self,
        mention: &Mention<'_>,
        is_setting: bool,
        port: Option<u16>,
    ) -> Option<Sighting> {
        let (protocol, default) = match mention.standing {
            Standing::Url(text) => match scheme::scheme(text) {
                Scheme::Connects(protocol, port) => (protocol, port),
                Scheme::Local => return None,
            },
            Standing::Alone => (Protocol::Tcp, None),
        };
        let place = match mention.standing {
            Standing::Url(_) => Place::Url,
            Standing::Alone if is_setting => Place::Setting,
            Standing::Alone if mention.port.is_some() => Place::Port,
            Standing::Alone => Place::Text,
        };
        let port = mention.port.or(port).or(default);
        let (to, confidence) = self.supplier(mention, place, port)?;
        let confidence = match self.hint {
            Hint::Own => Confidence::Guessed,
            _ => confidence,
        };
        Some(Sighting {
            protocol: self.protocol_of(&to, port).unwrap_or(protocol),
            to,
            port,
            confidence,
        })
    }

    /// A Service that takes nothing but UDP on a port is asked over UDP.
    fn protocol_of(&self, to: &Supplier, port: Option<u16>) -> Option<Protocol> {
        let Supplier::Service { namespace, name } = to else {
            return None;
        };
        let service = self.directory.service(namespace, name)?;
        let mut on = service
            .ports
            .iter()
            .filter(|(_, _, number)| Some(*number) == port);
        let protocol = on.next()?.1;
        on.all(|(_, other, _)| *other == protocol)
            .then_some(protocol)
    }

    fn supplier(
        &self,
        mention: &Mention<'_>,
        place: Place,
        port: Option<u16>,
    ) -> Option<(Supplier, Confidence)> {
        match mention.name {
            HostName::Service(full) => self.full(&full, place),
            HostName::Pod { address, .. } => Some((Supplier::Address(address), Confidence::Likely)),
            HostName::Address(address) => {
                let is_nowhere =
                    address.is_loopback() || address.is_unspecified() || address.is_multicast();
                if let Some((namespace, name)) = self.directory.at_address(address) {
                    return Some((service(namespace, name), self.beside(place)));
                }
                let is_meant = place != Place::Text && !is_nowhere && self.is_open(place);
                is_meant.then(|| (Supplier::Address(address), self.beside(place)))
            }
            HostName::Labels(text) => {
                let text = text.to_ascii_lowercase();
                let labels: Vec<&str> = text.split('.').collect();
                match labels[..] {
                    ["localhost"] | [.., "localhost"] | ["localhost", "localdomain"] => None,
                    [name] => self.one_label(name, place, port),
                    _ => self.dotted(&text, &labels, place),
                }
            }
        }
    }

    fn full(&self, full: &Full<'_>, place: Place) -> Option<(Supplier, Confidence)> {
        let namespace = full.namespace.to_ascii_lowercase();
        let name = full.name.to_ascii_lowercase();
        let domain = full.domain.map(str::to_ascii_lowercase);
        let is_own = match (&domain, self.cluster_domain) {
            (Some(domain), Some(own)) => {
                domain.eq_ignore_ascii_case(own) || is_cluster_domain(domain)
            }
            (Some(domain), None) => is_cluster_domain(domain),
            (None, _) => true,
        };
        if is_own || self.directory.has(&namespace, &name) {
            return Some((service(&namespace, &name), Confidence::Likely));
        }
        let host = format!("{name}.{namespace}.svc.{}", domain.unwrap_or_default());
        Some((Supplier::Host(host), self.beside(place)))
    }

    /// A bare name: a Service of the same namespace.
    fn one_label(
        &self,
        name: &str,
        place: Place,
        port: Option<u16>,
    ) -> Option<(Supplier, Confidence)> {
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let to = service(self.namespace, name);
        let known = self.directory.service(self.namespace, name);
        let is_known = known.is_some() || self.directory.has(self.namespace, name);
        let has_port =
            |port| known.is_some_and(|known| known.ports.iter().any(|(_, _, p)| *p == port));
        let confidence = match place {
            Place::Url | Place::Setting if is_known => Confidence::Likely,
            Place::Url => Confidence::Guessed,
            Place::Setting if port.is_some() => Confidence::Guessed,
            Place::Port if port.is_some_and(has_port) => Confidence::Likely,
            Place::Port if is_known => Confidence::Guessed,
            Place::Setting | Place::Port | Place::Text => return None,
        };
        Some((to, confidence))
    }

    /// A name of several labels: of a Service with its namespace, of a pod behind one, or of a host
    /// elsewhere.
    fn dotted(&self, text: &str, labels: &[&str], place: Place) -> Option<(Supplier, Confidence)> {
        let last = labels.last().copied().unwrap_or_default();
        match *labels {
            [name, namespace] | [_, name, namespace] if self.directory.has(namespace, name) => {
                return Some((service(namespace, name), self.beside(place)));
            }
            [_, name] if place != Place::Text && self.directory.has(self.namespace, name) => {
                return Some((service(self.namespace, name), self.beside(place)));
            }
            [name, namespace]
                if place != Place::Text
                    && self.is_open(place)
                    && name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && (self.directory.has_namespace(namespace) || !is_public(last)) =>
            {
                let is_word = namespace.starts_with(|c: char| c.is_ascii_alphabetic());
                let is_file = FILE_ENDINGS.contains(&last);
                return (is_word && !is_file)
                    .then(|| (service(namespace, name), Confidence::Guessed));
            }
            _ => {}
        }
        let is_host = is_public(last) || labels.len() > 2;
        let is_name = last.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_file = place != Place::Url && FILE_ENDINGS.contains(&last);
        if place == Place::Text
            || !self.is_open(place)
            || !is_host
            || !is_name
            || is_file
            || NAMES_OF_FORMATS.contains(&text)
        {
            return None;
        }
        let confidence = match (self.trust, place) {
            (Trust::Value, Place::Url | Place::Setting) => Confidence::Likely,
            _ => Confidence::Guessed,
        };
        Some((Supplier::Host(text.to_owned()), confidence))
    }

    /// Whether a host may be told here: in a Secret, what merely stands before a port may be a
    /// part of a password.
    fn is_open(&self, place: Place) -> bool {
        !self.is_secret || matches!(place, Place::Url | Place::Setting)
    }

    /// How sure a name is that a Service has.
    fn beside(&self, place: Place) -> Confidence {
        match (place, self.trust) {
            (Place::Url | Place::Setting, _) | (Place::Port, Trust::Value) => Confidence::Likely,
            _ => Confidence::Guessed,
        }
    }
}

fn service(namespace: &str, name: &str) -> Supplier {
    Supplier::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn is_public(ending: &str) -> bool {
    let is_country = ending.len() == 2 && ending.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_country || PUBLIC_ENDINGS.contains(&ending)
}

impl Sighting {
    /// Host and port for people, and nothing around them.
    pub(super) fn display(&self) -> String {
        let to = match &self.to {
            Supplier::Service { namespace, name } => format!("{name}.{namespace}"),
            other => other.to_string(),
        };
        match self.port {
            Some(port) => format!("{to}:{port}"),
            None => to,
        }
    }

    pub(super) fn port_ref(&self) -> Option<PortRef> {
        self.port.map(PortRef::Number)
    }
}

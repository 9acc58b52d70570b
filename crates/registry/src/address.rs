//! Where a registry is, and whether it is spoken to in the clear.

use std::net::IpAddr;

use underpin_image::{Host, ReferenceError};

/// Where the hub's API is, which images name by another host.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// The address of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: Host,
    authority: String,
    is_tls: bool,
}

/// Why a text is no address of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The host is none.
    #[error("`{text}` is no address of a registry: {source}")]
    Host {
        /// What is written.
        text: String,
        /// What is wrong.
        source: ReferenceError,
    },
    /// Neither `http` nor `https`.
    #[error("`{0}` is no address of a registry: write HOST, HOST:PORT, or https:// before it")]
    Scheme(String),
    /// Something stands behind the host.
    #[error("`{0}` is no address of a registry: only its host and port are written, no path")]
    Path(String),
    /// In the clear, to another machine.
    #[error(
        "{0} is another machine, and http:// would send credentials there in the clear: use \
         https://, or allow insecure registries"
    )]
    Plain(String),
}

impl Address {
    /// Reads `HOST`, `HOST:PORT`, `https://HOST` or `http://HOST`. Without a scheme it is HTTPS, on this
    /// machine HTTP. HTTP to another machine is only taken where the operator has allowed it.
    pub fn new(text: &str, allow_insecure: bool) -> Result<Self, AddressError> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            // Behind an `@` would stand a host, and before it perhaps a password.
            let shown = rest.rsplit('@').next().unwrap_or_default();
            return Err(AddressError::Path(shown.to_owned()));
        }
        let host = Host::new(rest).map_err(|source| AddressError::Host {
            text: rest.to_owned(),
            source,
        })?;
        let lower = rest.to_ascii_lowercase();
        let is_local = is_loopback(host_name(&lower));
        let is_tls = match scheme {
            None => !is_local,
            Some("https") => true,
            Some("http") => false,
            Some(other) => return Err(AddressError::Scheme(other.to_owned())),
        };
        if !is_tls && !is_local && !allow_insecure {
            return Err(AddressError::Plain(host.to_string()));
        }
        let authority = if lower == HUB.0 { HUB.1 } else { &lower };
        Ok(Self {
            host,
            authority: authority.to_owned(),
            is_tls,
        })
    }

    /// The registry, as references name it.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// `https://registry.example.com:5000`, without a slash at the end.
    pub(crate) fn origin(&self) -> Origin {
        Origin::new(self.is_tls, &self.authority)
    }
}

/// Scheme, host and port: what credentials are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) is_tls: bool,
    pub(crate) authority: String,
}

impl Origin {
    pub(crate) fn new(is_tls: bool, authority: &str) -> Self {
        let lower = authority.to_ascii_lowercase();
        let default = if is_tls { ":443" } else { ":80" };
        Self {
            is_tls,
            authority: lower.strip_suffix(default).unwrap_or(&lower).to_owned(),
        }
    }

    /// That of a URL, if it is one of HTTP without a user in it.
    pub(crate) fn of(uri: &http::Uri) -> Option<Self> {
        let authority = uri.authority()?.as_str();
        let is_tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        (!authority.contains('@')).then(|| Self::new(is_tls, authority))
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(host_name(&self.authority))
    }

    /// Whether nobody between here and there can read along.
    pub(crate) fn is_private(&self) -> bool {
        self.is_tls || self.is_loopback()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority)
    }
}

/// The host without its port, and without the brackets of an IPv6 address.
fn host_name(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, allow: bool, expect: &str) {
        let told = match Address::new(text, allow) {
            Ok(address) => address.origin().url(""),
            Err(error) => error.to_string(),
        };
        assert!(told.starts_with(expect), "{text}: {told}");
    }

    #[test]
    fn the_clear_is_for_this_machine_or_by_consent() {
        check(
            "registry.example.com",
            false,
            "https://registry.example.com",
        );
        check(
            "Registry.Example.com:443",
            false,
            "https://registry.example.com",
        );
        check("localhost:5000", false, "http://localhost:5000");
        check("127.0.0.1:5000", false, "http://127.0.0.1:5000");
        check("[::1]:5000", false, "http://[::1]:5000");
        check("https://localhost:5000/", false, "https://localhost:5000");
        check("docker.io", false, "https://registry-1.docker.io");
        check(
            "http://10.0.0.1:5000",
            false,
            "10.0.0.1:5000 is another machine",
        );
        check("http://10.0.0.1:5000", true, "http://10.0.0.1:5000");
        check(
            "http://localhost.example.com",
            false,
            "localhost.example.com is",
        );
    }

    #[test]
    fn what_is_no_address_is_told_without_a_password() {
        check("ftp://a.example.com", false, "`ftp` is no address");
        check("a.example.com/team", false, "`a.example.com/team` is no");
        check(
            "https://u:hunter2@a.example.com",
            false,
            "`a.example.com` is no",
        );
        check("a b", false, "`a b` is no address");
        check("", false, "`` is no address");
    }
}

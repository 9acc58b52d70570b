//! Addresses of sites, in one form each, so that equal ones compare equal.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

/// The scheme of a site. `http://` and `https://` of one host are two sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Without TLS, port 80.
    Http,
    /// With TLS, port 443.
    Https,
}

impl Scheme {
    /// The port that a site of this scheme is served at.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// The address of a site: a scheme and a host, `http://shop.example.com`. Sorted by host, so that
/// both schemes of a host stand together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteAddress {
    host: Arc<str>,
    scheme: Scheme,
}

/// Why a text is no address of a site. Never shows the text: it is part of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressError {
    /// No host: every host would be answered.
    AnyHost,
    /// A wildcard that is not the whole first label before at least two others.
    Wildcard,
    /// A character that hosts do not have, by its number.
    Character(char),
    /// A character outside ASCII, which may look like another.
    NotAscii(char),
    /// A placeholder.
    Placeholder,
    /// A user before the host.
    User,
    /// A path behind the host.
    Path,
    /// A scheme that is neither `http` nor `https`.
    Scheme,
    /// A port that is not the scheme's.
    Port,
    /// Labels that are empty, too long, or begin or end with `-`.
    Label,
    /// A name longer than any host has.
    TooLong,
    /// A number where an IP address was meant, in a form that is read differently by different
    /// programs.
    Number,
    /// Brackets that hold no IPv6 address.
    Ipv6,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Character(c) => {
                let number = u32::from(*c);
                return write!(f, "a host cannot hold the character U+{number:04X}");
            }
            Self::NotAscii(c) => {
                let number = u32::from(*c);
                return write!(
                    f,
                    "the character U+{number:04X} is outside ASCII and may look like another; \
                     write the host in its ASCII form, which begins with xn--"
                );
            }
            Self::AnyHost => {
                "an address without a host would answer for every host in place of the page that \
                 says that nothing is configured; name the host"
            }
            Self::Wildcard => {
                "a wildcard must be the whole first label with two others behind it, as in \
                 *.example.com"
            }
            Self::Placeholder => "the address holds a placeholder; write the host itself",
            Self::User => "an address holds no user",
            Self::Path => {
                "an address holds no path; put handle_path or handle into the block instead"
            }
            Self::Scheme => "the scheme is neither http nor https",
            Self::Port => "the edge listens at 80 for http and 443 for https alone; drop the port",
            Self::Label => {
                "the labels of a host have 1 to 63 characters and neither begin nor end with -"
            }
            Self::TooLong => "a host has at most 253 characters",
            Self::Number => {
                "the host ends in a number and is no IPv4 address in its usual form, such as \
                 192.0.2.1"
            }
            Self::Ipv6 => "the brackets hold no IPv6 address",
        };
        f.write_str(text)
    }
}

/// Longest host name.
const MAXIMUM_HOST: usize = 253;
/// Longest label of one.
const MAXIMUM_LABEL: usize = 63;

impl SiteAddress {
    /// The address of a host, which is given as addresses are in entries, without scheme and port.
    pub fn new(scheme: Scheme, host: &str) -> Result<Self, AddressError> {
        if host.contains(':') && !host.starts_with('[') {
            return Err(AddressError::Port);
        }
        let host = canonical_host(host)?.into();
        Ok(Self { host, scheme })
    }

    /// Reads an address as entries have it. Without scheme, port 80 means `http` and everything
    /// else `https`, as Caddy takes it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // Before anything is cut off, so that no part of the text passes unseen.
        if text.contains(['{', '}']) {
            return Err(AddressError::Placeholder);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
                (Some(Scheme::Http), rest)
            }
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => {
                (Some(Scheme::Https), rest)
            }
            Some(_) => return Err(AddressError::Scheme),
            None => (None, text),
        };
        if rest.contains('@') {
            return Err(AddressError::User);
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(AddressError::Path);
        }
        let (host, port) = split_port(authority)?;
        let scheme = match (scheme, port) {
            (Some(scheme), None) => scheme,
            (Some(scheme), Some(port)) if port == scheme.port() => scheme,
            (None, None) => Scheme::Https,
            (None, Some(port)) if port == Scheme::Http.port() => Scheme::Http,
            (None, Some(port)) if port == Scheme::Https.port() => Scheme::Https,
            _ => return Err(AddressError::Port),
        };
        let host = canonical_host(host)?.into();
        Ok(Self { host, scheme })
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, as a matcher of Caddy has it: lower case, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.host.starts_with('*')
    }
}

impl fmt::Display for SiteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]", self.scheme, self.host)
        } else {
            write!(f, "{}://{}", self.scheme, self.host)
        }
    }
}

/// The authority without its port, and the port.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), AddressError> {
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = authority[bracket..].rfind(':').map(|at| bracket + at) else {
        return Ok((authority, None));
    };
    let digits = &authority[colon + 1..];
    // An IPv6 address without brackets cannot be told from a host with a port.
    if authority[..colon].contains(':') && bracket == 0 {
        return Err(AddressError::Ipv6);
    }
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|_| plain);
    Ok((&authority[..colon], Some(port.ok_or(AddressError::Port)?)))
}

fn canonical_host(host: &str) -> Result<String, AddressError> {
    if let Some(c) = host.chars().find(|c| !c.is_ascii()) {
        return Err(AddressError::NotAscii(c));
    }
    if host.starts_with('[') {
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let address: Ipv6Addr = inner
            .and_then(|inner| inner.parse().ok())
            .ok_or(AddressError::Ipv6)?;
        return Ok(address.to_string());
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host == "*" {
        return Err(AddressError::AnyHost);
    }
    if host.len() > MAXIMUM_HOST {
        return Err(AddressError::TooLong);
    }
    let name = match host.strip_prefix("*.") {
        Some(rest) if rest.contains('.') => rest,
        Some(_) => return Err(AddressError::Wildcard),
        None => host,
    };
    if name.contains('*') {
        return Err(AddressError::Wildcard);
    }
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(c) = name.chars().find(|c| !is_host(*c)) {
        return Err(AddressError::Character(c));
    }
    let fits = |label: &str| {
        (1..=MAXIMUM_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(fits) {
        return Err(AddressError::Label);
    }
    if ends_in_a_number(name) && (host != name || name.parse::<Ipv4Addr>().is_err()) {
        return Err(AddressError::Number);
    }
    Ok(host.to_ascii_lowercase())
}

/// Whether the last label is a number, decimal or hexadecimal: such a host is an IPv4 address to
/// browsers, or nothing at all (URL standard, "ends in a number").
pub(crate) fn ends_in_a_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        match SiteAddress::parse(text) {
            Ok(address) => address.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    /// R3.1: what Caddy takes for different texts is one address.
    #[test]
    fn addresses_have_one_form() {
        for (expect, texts) in [
            (
                "http://a.example",
                &[
                    "http://a.example",
                    "http://a.example:80",
                    "http://A.Example",
                    "http://a.example/",
                    "http://a.example.",
                    "http://a.example.:80/",
                    "HTTP://a.example",
                    "a.example:80",
                ][..],
            ),
            (
                "https://a.example",
                &[
                    "a.example",
                    "https://a.example:443",
                    "a.example:443",
                    "A.example./",
                ],
            ),
            ("http://*.a.example", &["http://*.A.example"]),
            ("http://[2001:db8::1]", &["http://[2001:DB8:0::1]:80"]),
            ("https://192.0.2.1", &["192.0.2.1"]),
            ("https://xn--bcher-kva.example", &["XN--bcher-kva.example"]),
            ("https://my_host.example", &["my_host.example"]),
        ] {
            for text in texts {
                assert_eq!(shown(text), expect, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, expect) in [
            ("http://", "AnyHost"),
            (":80", "AnyHost"),
            ("*", "AnyHost"),
            ("http://.", "AnyHost"),
            ("http://*.com", "Wildcard"),
            ("http://a.*.example", "Wildcard"),
            ("http://w*.a.example", "Wildcard"),
            ("http://a b", "Character(' ')"),
            ("http://а.example", "NotAscii('а')"),
            ("http://a\u{3002}example", "NotAscii('。')"),
            ("http://a\u{200b}.example", "NotAscii('\\u{200b}')"),
            ("{$HOST}", "Placeholder"),
            ("http://{env.HOST}", "Placeholder"),
            ("http://user:secret@a.example", "User"),
            ("http://a.example/x", "Path"),
            ("http://a.example//", "Path"),
            ("http://a.example?x", "Path"),
            ("ftp://a.example", "Scheme"),
            ("http://a.example:8080", "Port"),
            ("http://a.example:443", "Port"),
            ("https://a.example:80", "Port"),
            ("http://a.example:", "Port"),
            ("http://a.example:+80", "Port"),
            ("http://a..example", "Label"),
            ("http://-a.example", "Label"),
            ("http://a%2e.example", "Character('%')"),
            ("http://127.1", "Number"),
            ("http://0x7f000001", "Number"),
            ("http://2130706433", "Number"),
            ("http://*.0.0.1", "Number"),
            ("http://[::1", "Ipv6"),
            ("http://[a.example]", "Ipv6"),
            ("http://::1", "Ipv6"),
        ] {
            assert_eq!(shown(text), expect, "{text}");
        }
        assert_eq!(
            shown(&format!("http://{}.example", "a".repeat(64))),
            "Label"
        );
        assert_eq!(shown(&format!("http://{}a", "a.".repeat(127))), "TooLong");
    }

    proptest! {
        /// Reading the form that is printed changes nothing, and no error shows the text.
        #[test]
        fn forms_are_stable(text in "(https?://)?[a-zA-Z0-9.*:_\\[\\]-]{0,24}(:80|:443)?/?") {
            match SiteAddress::parse(&text) {
                Ok(address) => {
                    prop_assert_eq!(SiteAddress::parse(&address.to_string()), Ok(address));
                }
                Err(error) => prop_assert!(text.len() < 6 || !error.to_string().contains(&text)),
            }
        }

        #[test]
        fn nothing_panics(text in ".{0,40}") {
            let _ = SiteAddress::parse(&text);
        }
    }
}

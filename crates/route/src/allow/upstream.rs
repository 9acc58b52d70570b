//! Where an entry may send requests on to.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::Limits;
use crate::address::ends_in_a_number;

/// Why an upstream may not be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpstreamError {
    /// Chosen by a placeholder, so by whoever asks.
    Placeholder,
    /// Another network than TCP, such as a socket of the proxy's own machine.
    Network,
    /// No host, or no single port.
    Form,
    /// The proxy's own machine, where its admin API listens.
    Loopback,
    /// An address of the link, where clouds tell machines their secrets.
    LinkLocal,
    /// An address of nobody, or of many.
    NoHost,
    /// A service that tells machines their secrets.
    Metadata,
    /// A number that is read differently by different programs.
    Number,
    /// The edge itself.
    Edge,
    /// A name that may lead to the proxy's own machine, with the port of its admin API.
    AdminPort,
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Placeholder => {
                "the upstream is chosen by a placeholder, so by whoever asks; name it"
            }
            Self::Network => "the upstream is reached by another network than TCP",
            Self::Form => "the upstream is no host with one port",
            Self::Loopback => {
                "the upstream is the proxy's own machine, where its admin API listens; name a Service"
            }
            Self::LinkLocal => {
                "the upstream is an address of the link, where clouds tell machines their secrets"
            }
            Self::NoHost => "the upstream is an address of no single host",
            Self::Metadata => "the upstream is a service that tells machines their secrets",
            Self::Number => "the upstream ends in a number and is no IPv4 address in its usual form",
            Self::Edge => "the upstream is the edge itself",
            Self::AdminPort => {
                "the upstream's port is that of the proxy's admin API, to which any name may lead; give the \
                 Service another port, or the admin API a socket"
            }
        })
    }
}

/// Names of hosts files for the own machine.
const LOOPBACK_NAMES: &[&str] = &["ip6-localhost", "ip6-loopback", "localhost"];
/// Names under which clouds serve metadata.
const METADATA_NAMES: &[&str] = &[
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
];
/// Addresses of metadata beyond those of the link: of AWS by IPv6, of Alibaba, Azure and Oracle.
const METADATA_ADDRESSES: &[IpAddr] = &[
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// Whether an upstream, as Caddy's `dial` has it, may be sent to.
pub(crate) fn check(dial: &str, limits: &Limits) -> Result<(), UpstreamError> {
    if dial.contains(['{', '}']) {
        return Err(UpstreamError::Placeholder);
    }
    let address = match dial.split_once('/') {
        Some(("tcp", rest)) => rest,
        Some(_) => return Err(UpstreamError::Network),
        None => dial,
    };
    let (host, port) = address.rsplit_once(':').ok_or(UpstreamError::Form)?;
    let plain = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port: Option<u16> = port.parse().ok().filter(|port| plain && *port > 0);
    if port.is_none() || host.is_empty() {
        return Err(UpstreamError::Form);
    }
    check_host(host, &limits.edge)?;
    // Whom a name leads to is decided elsewhere, and may be changed after this look.
    if port == limits.admin_port {
        return Err(UpstreamError::AdminPort);
    }
    Ok(())
}

fn check_host(host: &str, edge: &BTreeSet<String>) -> Result<(), UpstreamError> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if let Some(inner) = bare {
        let address = inner.parse().map_err(|_| UpstreamError::Form)?;
        return check_address(IpAddr::V6(address), edge);
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = host.parse() {
        return check_address(IpAddr::V4(address), edge);
    }
    check_name(&host, edge)
}

fn check_name(host: &str, edge: &BTreeSet<String>) -> Result<(), UpstreamError> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(UpstreamError::Form);
    }
    if LOOPBACK_NAMES.contains(&host) || host.ends_with(".localhost") {
        return Err(UpstreamError::Loopback);
    }
    if METADATA_NAMES.contains(&host) {
        return Err(UpstreamError::Metadata);
    }
    if ends_in_a_number(host) {
        return Err(UpstreamError::Number);
    }
    // A Service is asked for by shorter names, too: `edge.proxy.svc`, `edge.proxy`, and from its
    // own namespace, which is the proxy's, `edge`.
    let is_edge = edge.iter().any(|own| {
        let rest = own.strip_prefix(host);
        rest.is_some_and(|rest| {
            let alone = rest.starts_with('.') && !host.contains('.');
            rest.is_empty() || alone || rest.starts_with(".svc") || rest.starts_with(".cluster.")
        })
    });
    if is_edge {
        return Err(UpstreamError::Edge);
    }
    Ok(())
}

fn check_address(address: IpAddr, edge: &BTreeSet<String>) -> Result<(), UpstreamError> {
    let address = embedded(address);
    if METADATA_ADDRESSES.contains(&address) {
        return Err(UpstreamError::Metadata);
    }
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_loopback() {
        Err(UpstreamError::Loopback)
    } else if link_local {
        Err(UpstreamError::LinkLocal)
    } else if is_unspecified(address) || address.is_multicast() || broadcast {
        Err(UpstreamError::NoHost)
    } else if edge.contains(&address.to_string()) {
        Err(UpstreamError::Edge)
    } else {
        Ok(())
    }
}

/// Machines take a connection to any address of `0.0.0.0/8` for one to themselves.
fn is_unspecified(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 0,
        IpAddr::V6(address) => address.is_unspecified(),
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, or by the prefix of
/// gateways (RFC 6052).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    let segments = six.segments();
    let gateway = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let compatible = segments[..6] == [0; 6] && !six.is_loopback() && !six.is_unspecified();
    if !gateway && !compatible {
        return address.to_canonical();
    }
    let octets = six.octets();
    IpAddr::V4(Ipv4Addr::new(
        octets[12], octets[13], octets[14], octets[15],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_of_the_machine_and_of_the_cloud_are_refused() {
        let limits = Limits {
            edge: BTreeSet::from(["edge.proxy.svc.cluster.local".to_owned(), "10.0.0.9".into()]),
            ..Limits::default()
        };
        let cases: &[(Result<(), UpstreamError>, &[&str])] = &[
            (
                Ok(()),
                &[
                    "web.wallet.svc.cluster.local:80",
                    "tcp/web.wallet.svc:80",
                    "10.0.0.1:80",
                    "[2001:db8::1]:443",
                    "edge.other.svc:80",
                ],
            ),
            (
                Err(UpstreamError::Loopback),
                &[
                    "127.0.0.1:2019",
                    "127.9.9.9:1",
                    "localhost:2019",
                    "LOCALHOST.:2019",
                    "x.localhost:80",
                    "[::1]:2019",
                    "[::ffff:127.0.0.1]:2019",
                    "[::127.0.0.1]:2019",
                    "[64:ff9b::7f00:1]:2019",
                ],
            ),
            (
                Err(UpstreamError::LinkLocal),
                &[
                    "169.254.169.254:80",
                    "[fe80::1]:80",
                    "[::ffff:a9fe:a9fe]:80",
                ],
            ),
            (
                Err(UpstreamError::Metadata),
                &[
                    "metadata.google.internal:80",
                    "[fd00:ec2::254]:80",
                    "100.100.100.200:80",
                ],
            ),
            (
                Err(UpstreamError::NoHost),
                &[
                    "0.0.0.0:80",
                    "0.1.2.3:80",
                    "[::]:80",
                    "224.0.0.1:80",
                    "255.255.255.255:80",
                ],
            ),
            (
                Err(UpstreamError::Network),
                &["unix//run/x.sock", "udp/x:53", "unixgram//x"],
            ),
            (
                Err(UpstreamError::Number),
                &[
                    "2130706433:80",
                    "127.1:80",
                    "0x7f000001:80",
                    "0177.0.0.1:80",
                ],
            ),
            (
                Err(UpstreamError::Form),
                &[
                    "web",
                    "web:80-90",
                    ":80",
                    "web:0",
                    "web:http",
                    "a b:80",
                    "[::1%lo]:80",
                ],
            ),
            (
                Err(UpstreamError::Placeholder),
                &["{http.request.header.X-To}:80"],
            ),
            (
                Err(UpstreamError::Edge),
                &[
                    "edge:80",
                    "edge.proxy:80",
                    "edge.proxy.svc:2019",
                    "Edge.proxy.svc.cluster.local:80",
                    "10.0.0.9:80",
                ],
            ),
            (
                Err(UpstreamError::AdminPort),
                &["vm:2019", "10.0.0.1:2019", "web.wallet.svc:2019"],
            ),
        ];
        for (expect, dials) in cases {
            for dial in *dials {
                assert_eq!(check(dial, &limits), *expect, "{dial}");
            }
        }
    }
}

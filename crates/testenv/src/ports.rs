//! Free ports on 127.0.0.1.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// First port tried.
const LOWEST: u16 = 10_000;
/// How many ports from [`LOWEST`] on: all below 32768, where Linux starts to hand out ports for
/// outgoing connections, so that no such connection can take one between the look and the use.
const SPAN: u16 = 22_000;
/// Random tries for one port.
const TRIES: usize = 200;

/// `N` different ports that nothing listened on a moment ago. A server that loses the race for
/// one fails with "address already in use"; the caller starts over.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    let mut taken = BTreeSet::new();
    let mut ports = [0; N];
    for port in &mut ports {
        *port = free_one(&mut taken)?;
    }
    Ok(ports)
}

fn free_one(taken: &mut BTreeSet<u16>) -> Result<u16> {
    for _ in 0..TRIES {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).context("random bytes for a port")?;
        let port = LOWEST + u16::from_le_bytes(bytes) % SPAN;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && taken.insert(port) {
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1 after {TRIES} tries from {LOWEST} on")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn ports_differ_and_stay_below_the_ephemeral_range() {
        let ports = super::free::<50>().unwrap();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 50);
        assert!(ports.iter().all(|port| (10_000..32_768).contains(port)));
    }
}

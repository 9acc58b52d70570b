//! Functions on network addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Call, Function, Needs, function};
use crate::terraform::{engine::Outcome, failure::Failure, value::Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("cidrhost", 2, Some(2), Needs::Everything, |call| {
        let network = Network::parse(&call.text(0)?)?;
        let number = i128::from(call.whole(1)?);
        Ok(Value::text(network.host(number)?.to_string()))
    }),
    function("cidrnetmask", 1, Some(1), Needs::Everything, |call| {
        let network = Network::parse(&call.text(0)?)?;
        if network.bits != 32 {
            return Err(Failure::new("only IPv4 networks have a mask"));
        }
        Ok(Value::text(network.address(network.mask()).to_string()))
    }),
    function("cidrsubnet", 3, Some(3), Needs::Everything, |call| {
        let network = Network::parse(&call.text(0)?)?;
        let subnet = network.subnet(call.whole(1)?, call.index(2)? as u128)?;
        Ok(Value::text(subnet.to_string()))
    }),
    function("cidrsubnets", 1, None, Needs::Everything, subnets),
];

/// A network of either family.
#[derive(Clone, Copy)]
struct Network {
    first: u128,
    prefix: u32,
    /// 32 or 128.
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong =
            || Failure::new("the text is no network").with_help("write `10.0.0.0/8` or `fd00::/8`");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
        let (first, bits) = match address.parse() {
            Ok(IpAddr::V4(address)) => (u128::from(address.to_bits()), 32),
            Ok(IpAddr::V6(address)) => (address.to_bits(), 128),
            Err(_) => return Err(wrong()),
        };
        if prefix > bits || !plain {
            return Err(wrong());
        }
        let network = Self {
            first,
            prefix,
            bits,
        };
        Ok(Self {
            first: first & network.mask(),
            ..network
        })
    }

    fn mask(self) -> u128 {
        let all = u128::MAX >> (128 - self.bits);
        let hosts = self.bits - self.prefix;
        if hosts >= 128 {
            return 0;
        }
        all & (u128::MAX << hosts)
    }

    fn address(self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if self.bits == 32 => Ipv4Addr::from_bits(number).into(),
            _ => Ipv6Addr::from_bits(number).into(),
        }
    }

    fn host(self, number: i128) -> Result<IpAddr, Failure> {
        let hosts = !self.mask() & (u128::MAX >> (128 - self.bits));
        let distance = if number < 0 {
            number.unsigned_abs() - 1
        } else {
            number.unsigned_abs()
        };
        if distance > hosts {
            return Err(Failure::new("the network has no host of that number"));
        }
        let host = if number < 0 {
            hosts - distance
        } else {
            distance
        };
        Ok(self.address(self.first | host))
    }

    fn subnet(self, more: i64, number: u128) -> Result<Self, Failure> {
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let prefix = self.prefix.saturating_add(more);
        if prefix > self.bits {
            return Err(Failure::new("the network has not that many bits left"));
        }
        if more < 128 && number >> more != 0 {
            return Err(Failure::new("the network has no subnet of that number"));
        }
        let shift = self.bits - prefix;
        let offset = if shift >= 128 { 0 } else { number << shift };
        Ok(Self {
            first: self.first | offset,
            prefix,
            ..self
        })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address(self.first), self.prefix)
    }
}

/// Networks one after the other, each at the next place where it fits.
fn subnets(call: &Call<'_, '_, '_>) -> Outcome {
    let network = Network::parse(&call.text(0)?)?;
    let mut next = network.first;
    let mut out = Vec::new();
    for index in 1..call.count() {
        let more = call.whole(index)?;
        let step = network.subnet(more, 0)?;
        if more < 1 {
            return Err(Failure::new("each subnet needs at least one more bit"));
        }
        let hosts = network.bits - step.prefix;
        let size = 1_u128.checked_shl(hosts).unwrap_or(0);
        let fits = |first: u128| first & network.mask() == network.first;
        let first = next
            .checked_next_multiple_of(size)
            .filter(|first| fits(*first))
            .ok_or_else(|| Failure::new("the network is too small for all of them"))?;
        let subnet = Network { first, ..step };
        out.push(Value::text(subnet.to_string()));
        next = first
            .checked_add(size)
            .ok_or_else(|| Failure::new("the network is too small for all of them"))?;
    }
    Value::list(out)
}

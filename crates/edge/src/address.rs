//! Where a Caddy is told what to do: a loopback address or a socket in a folder.

use std::{fmt, net::SocketAddr, path::PathBuf};

/// An admin endpoint, as Caddy's `admin.listen` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A port of this machine.
    Tcp(SocketAddr),
    /// A socket.
    Unix(PathBuf),
}

/// Why a text is no admin endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Neither an address with a port nor a socket.
    Form,
    /// An address that others reach: whoever does governs the edge.
    NotLoopback,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "write ADDRESS:PORT, such as 127.0.0.1:2019, or unix//PATH",
            Self::NotLoopback => {
                "whoever reaches the admin endpoint governs the edge; only loopback addresses and \
                 sockets are taken"
            }
        })
    }
}

impl std::error::Error for AddressError {}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix/") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(AddressError::Form)
            };
        }
        let text = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        let address: SocketAddr = text.parse().map_err(|_| AddressError::Form)?;
        if address.ip().is_loopback() {
            Ok(Self::Tcp(address))
        } else {
            Err(AddressError::NotLoopback)
        }
    }
}

/// As Caddy has it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix/{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_on_the_machine_reaches_it() {
        for text in ["127.0.0.1:2019", "[::1]:2019", "unix//run/caddy/admin.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let local = "localhost:2019".parse::<Address>().unwrap();
        assert_eq!(local.to_string(), "127.0.0.1:2019");
        for text in ["0.0.0.0:2019", "10.0.0.1:2019", "[::]:2019"] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::NotLoopback));
        }
        for text in ["", ":2019", "2019", "unix/run.sock", "caddy:2019"] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Form), "{text}");
        }
    }
}

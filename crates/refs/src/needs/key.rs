//! What the name of a setting says of its value.

/// What a value's key tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// It is where something is connected to.
    Address,
    /// Nothing.
    Nothing,
    /// It is where the process itself listens, or how others call it.
    Own,
    /// It names hosts, but none is connected to: origins, images.
    Other,
}

const ADDRESS: &[&str] = &[
    "ADDR",
    "ADDRS",
    "ADDRESS",
    "ADDRESSES",
    "BACKEND",
    "BACKENDS",
    "BOOTSTRAP",
    "BROKER",
    "BROKERS",
    "DSN",
    "ENDPOINT",
    "ENDPOINTS",
    "HOST",
    "HOSTNAME",
    "HOSTNAMES",
    "HOSTS",
    "NODES",
    "PEER",
    "PEERS",
    "SEEDS",
    "SERVER",
    "SERVERS",
    "SERVERNAME",
    "TARGET",
    "TARGETS",
    "UPSTREAM",
    "UPSTREAMS",
    "URI",
    "URIS",
    "URL",
    "URLS",
    "COLLECTOR",
    "PROXY",
];

/// Endings of words that are written without a separator, such as `PGHOST`.
const ADDRESS_ENDINGS: &[&str] = &[
    "ADDR", "HOST", "HOSTS", "URI", "URL", "HOSTNAME", "ENDPOINT",
];

const OWN: &[&str] = &[
    "ADVERTISE",
    "ADVERTISED",
    "BIND",
    "EXTERNAL",
    "LISTEN",
    "LISTENER",
    "LISTENERS",
    "PUBLIC",
    "SELF",
];

const OTHER: &[&str] = &[
    "ALLOWED",
    "CALLBACK",
    "CORS",
    "DOMAIN",
    "DOMAINS",
    "IMAGE",
    "ISSUER",
    "NAMESPACE",
    "NOPROXY",
    "ORIGIN",
    "ORIGINS",
    "REDIRECT",
    "REFERER",
    "REFERRER",
    "SCHEMA",
    "SUBJECT",
    "VERSION",
    "XMLNS",
    "LICENSE",
    "HOMEPAGE",
    "DOCS",
    "ENTRYPOINT",
];

/// What a key such as `DB_HOST`, `bootstrap.servers`, `--redis-addr` or `brokerUrl` tells.
pub(super) fn hint(key: &str) -> Hint {
    let words = words(key);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has(OTHER) || words.ends_with(&["NO".to_owned(), "PROXY".to_owned()]) {
        Hint::Other
    } else if has(OWN) {
        Hint::Own
    } else if has(ADDRESS) || ends_with(&words, ADDRESS_ENDINGS) {
        Hint::Address
    } else {
        Hint::Nothing
    }
}

fn ends_with(words: &[String], endings: &[&str]) -> bool {
    let last = words.last();
    last.is_some_and(|last| endings.iter().any(|ending| last.ends_with(ending)))
}

/// The words of a key in upper case, of every way to join them.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in key.chars() {
        let starts = !c.is_ascii_alphanumeric() || (was_lower && c.is_ascii_uppercase());
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if let (true, Some(word)) = (c.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(c.to_ascii_uppercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A key with its words joined alike, to look up what stands beside it.
pub(super) fn normalized(key: &str) -> String {
    words(key).join("_")
}

/// Where the port may stand that belongs to a host: `DB_HOST` has `DB_PORT`, `PGHOST` has
/// `PGPORT`, `host` has `port`. Normalized.
pub(super) fn port_keys(key: &str) -> Vec<String> {
    const HOST: &[&str] = &[
        "HOSTNAME",
        "ADDRESS",
        "SERVER",
        "HOSTS",
        "HOST",
        "ADDR",
        "ENDPOINT",
        "SERVERNAME",
        "SERVERS",
    ];
    let key = normalized(key);
    let Some(stem) = HOST.iter().find_map(|ending| key.strip_suffix(ending)) else {
        return Vec::new();
    };
    vec![
        format!("{stem}PORT"),
        format!("{stem}PORTNUMBER"),
        format!("{stem}PORT_NUMBER"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_what_values_are() {
        for (key, expect) in [
            ("DB_HOST", Hint::Address),
            ("PGHOST", Hint::Address),
            ("spring.datasource.url", Hint::Address),
            ("bootstrap.servers", Hint::Address),
            ("brokerUrl", Hint::Address),
            ("--redis-addr", Hint::Address),
            ("LISTEN_ADDR", Hint::Own),
            ("KAFKA_ADVERTISED_LISTENERS", Hint::Own),
            ("CORS_ALLOWED_ORIGINS", Hint::Other),
            ("WORKER_IMAGE", Hint::Other),
            ("NO_PROXY", Hint::Other),
            ("CACHE", Hint::Nothing),
            ("GHOSTS", Hint::Address),
            ("", Hint::Nothing),
        ] {
            assert_eq!(hint(key), expect, "{key}");
        }
        assert_eq!(port_keys("PGHOST")[0], "PGPORT");
        assert_eq!(port_keys("dbHost")[0], "DB_PORT");
        assert_eq!(port_keys("host")[0], "PORT");
        assert!(port_keys("DB_URL").is_empty());
    }
}

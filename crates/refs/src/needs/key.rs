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
    let is_of = |word: &str, list: &[&str]| list.iter().any(|one| one.eq_ignore_ascii_case(word));
    let (mut hint, mut last) = (Hint::Nothing, "");
    for word in words(key) {
        let is_no_proxy = last.eq_ignore_ascii_case("NO") && word.eq_ignore_ascii_case("PROXY");
        if is_no_proxy || is_of(word, OTHER) {
            return Hint::Other;
        }
        if is_of(word, OWN) {
            hint = Hint::Own;
        } else if hint == Hint::Nothing && is_of(word, ADDRESS) {
            hint = Hint::Address;
        }
        last = word;
    }
    let ends = |ending: &&str| {
        let start = last.len().checked_sub(ending.len());
        let end = start.and_then(|start| last.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    if hint == Hint::Nothing && ADDRESS_ENDINGS.iter().any(|ending| ends(&ending)) {
        return Hint::Address;
    }
    hint
}

/// The words of a key: between what is no letter or digit, and where upper case begins.
fn words(key: &str) -> impl Iterator<Item = &str> {
    let parts = key.split(|c: char| !c.is_ascii_alphanumeric());
    parts.flat_map(humps).filter(|word| !word.is_empty())
}

/// The parts of a word in which upper case follows lower case.
fn humps(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(word);
    std::iter::from_fn(move || {
        let text = rest?;
        let bytes = text.as_bytes();
        let begins =
            |at: &usize| bytes[*at].is_ascii_uppercase() && !bytes[at - 1].is_ascii_uppercase();
        let at = (1..bytes.len()).find(begins);
        rest = at.map(|at| &text[at..]);
        Some(at.map_or(text, |at| &text[..at]))
    })
}

/// A key with its words joined alike, to look up what stands beside it.
pub(super) fn normalized(key: &str) -> String {
    let words: Vec<&str> = words(key).collect();
    words.join("_").to_ascii_uppercase()
}

/// Whether a key may be that of a port.
pub(super) fn may_be_port(key: &str) -> bool {
    let mut parts = key.as_bytes().windows("PORT".len());
    parts.any(|part| part.eq_ignore_ascii_case(b"PORT"))
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

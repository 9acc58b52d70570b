//! Schemes of URLs: over which protocol, and to which port where none is written.

use underpin_model::Protocol;

/// What is known of a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// A connection over this protocol, to this port where none is written.
    Connects(Protocol, Option<u16>),
    /// Nothing is connected to: a file, an image, an object of a store that has no host.
    Local,
}

const TABLE: &[(&str, u16)] = &[
    ("amqp", 5672),
    ("amqps", 5671),
    ("cassandra", 9042),
    ("clickhouse", 9000),
    ("cockroachdb", 26257),
    ("consul", 8500),
    ("couchbase", 11210),
    ("couchbases", 11207),
    ("couchdb", 5984),
    ("db2", 50000),
    ("elasticsearch", 9200),
    ("etcd", 2379),
    ("ftp", 21),
    ("ftps", 990),
    ("git", 9418),
    ("gopher", 70),
    ("h2c", 80),
    ("http", 80),
    ("https", 443),
    ("imap", 143),
    ("imaps", 993),
    ("influxdb", 8086),
    ("kafka", 9092),
    ("ldap", 389),
    ("ldaps", 636),
    ("mariadb", 3306),
    ("memcache", 11211),
    ("memcached", 11211),
    ("mongodb", 27017),
    ("mqtt", 1883),
    ("mqtts", 8883),
    ("mssql", 1433),
    ("mysql", 3306),
    ("mysqlx", 33060),
    ("nats", 4222),
    ("neo4j", 7687),
    ("bolt", 7687),
    ("nfs", 2049),
    ("opensearch", 9200),
    ("oracle", 1521),
    ("otlp", 4317),
    ("pgsql", 5432),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgis", 5432),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("presto", 8080),
    ("psql", 5432),
    ("pulsar", 6650),
    ("rabbitmq", 5672),
    ("redis", 6379),
    ("rediss", 6379),
    ("rethinkdb", 28015),
    ("rtmp", 1935),
    ("scylla", 9042),
    ("sftp", 22),
    ("smtp", 25),
    ("smtps", 465),
    ("snowflake", 443),
    ("sqlserver", 1433),
    ("ssh", 22),
    ("stomp", 61613),
    ("temporal", 7233),
    ("trino", 8080),
    ("typesense", 8108),
    ("valkey", 6379),
    ("ws", 80),
    ("wss", 443),
    ("zookeeper", 2181),
];

const OVER_UDP: &[(&str, u16)] = &[
    ("coap", 5683),
    ("collectd", 25826),
    ("dns", 53),
    ("ntp", 123),
    ("snmp", 161),
    ("statsd", 8125),
    ("stun", 3478),
    ("syslog", 514),
    ("tftp", 69),
];

const LOCAL: &[&str] = &[
    "abfs",
    "abfss",
    "about",
    "arn",
    "azblob",
    "blob",
    "chrome",
    "classpath",
    "containers-storage",
    "cri-o",
    "data",
    "dir",
    "docker",
    "docker-archive",
    "docker-daemon",
    "containerd",
    "duckdb",
    "embed",
    "env",
    "exec",
    "fd",
    "file",
    "gcs",
    "gs",
    "hdfs",
    "inmemory",
    "jar",
    "kms",
    "local",
    "mem",
    "memory",
    "npipe",
    "null",
    "oci",
    "oci-archive",
    "op",
    "pipe",
    "pkcs11",
    "ref",
    "s3",
    "s3a",
    "s3n",
    "secret",
    "spiffe",
    "sqlite",
    "sqlite3",
    "ssm",
    "stdin",
    "stdout",
    "unix",
    "unixgram",
    "urn",
    "vault",
    "wasb",
    "wasbs",
    "awskms",
    "gcpkms",
    "azurekms",
    "hashivault",
];

/// What a scheme means. `postgresql+asyncpg` is the first part's, `git+https` the last's.
pub(super) fn scheme(text: &str) -> Scheme {
    let text = text.to_ascii_lowercase();
    let parts = text.split('+');
    let known = |name: &&str| {
        let row = |table: &[(&str, u16)]| {
            let row = table.iter().find(|(known, _)| known == name);
            row.map(|(_, port)| *port)
        };
        if let Some(port) = row(TABLE) {
            Some(Scheme::Connects(Protocol::Tcp, Some(port)))
        } else if let Some(port) = row(OVER_UDP) {
            Some(Scheme::Connects(Protocol::Udp, Some(port)))
        } else if *name == "udp" {
            Some(Scheme::Connects(Protocol::Udp, None))
        } else {
            LOCAL.contains(name).then_some(Scheme::Local)
        }
    };
    let last_first = text.starts_with("git+") || text.starts_with("grpc+");
    let mut found: Vec<Scheme> = parts.filter_map(|part| known(&part)).collect();
    if last_first {
        found.reverse();
    }
    let unknown = Scheme::Connects(Protocol::Tcp, None);
    found.first().copied().unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_tell_protocol_and_port() {
        let tcp = |port| Scheme::Connects(Protocol::Tcp, port);
        for (text, expect) in [
            ("HTTPS", tcp(Some(443))),
            ("postgresql+asyncpg", tcp(Some(5432))),
            ("mongodb+srv", tcp(Some(27017))),
            ("git+https", tcp(Some(443))),
            ("git+ssh", tcp(Some(22))),
            ("tcp", tcp(None)),
            ("never-heard-of", tcp(None)),
            ("statsd", Scheme::Connects(Protocol::Udp, Some(8125))),
            ("udp", Scheme::Connects(Protocol::Udp, None)),
            ("s3", Scheme::Local),
            ("http+unix", tcp(Some(80))),
        ] {
            assert_eq!(scheme(text), expect, "{text}");
        }
    }
}

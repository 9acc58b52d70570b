//! Services that well-known operators make, with the pods behind them: names, ports and labels as
//! each operator documents them. `{}` stands for the name of the object that they are made from.

use underpin_model::{Object, canonical_group};

use crate::{field::Field, pods::namespace_of};

/// A Service that an operator makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its ports over TCP, each with the port of the pods.
    pub ports: Vec<(u16, u16)>,
    /// Labels of the pods behind it; they may have more.
    pub pod_labels: Vec<(String, String)>,
    /// Whether it is but a name for the pods.
    pub headless: bool,
}

struct Row {
    kind: (&'static str, &'static str),
    name: &'static str,
    ports: &'static [(u16, u16)],
    pod_labels: &'static [(&'static str, &'static str)],
    headless: bool,
}

const fn row(
    kind: (&'static str, &'static str),
    name: &'static str,
    ports: &'static [(u16, u16)],
    pod_labels: &'static [(&'static str, &'static str)],
) -> Row {
    Row {
        kind,
        name,
        ports,
        pod_labels,
        headless: false,
    }
}

const fn headless(
    kind: (&'static str, &'static str),
    name: &'static str,
    ports: &'static [(u16, u16)],
    pod_labels: &'static [(&'static str, &'static str)],
) -> Row {
    Row {
        headless: true,
        ..row(kind, name, ports, pod_labels)
    }
}

const ALERTMANAGER: (&str, &str) = ("monitoring.coreos.com", "Alertmanager");
const APM_SERVER: (&str, &str) = ("apm.k8s.elastic.co", "ApmServer");
const CNPG_CLUSTER: (&str, &str) = ("postgresql.cnpg.io", "Cluster");
const CNPG_POOLER: (&str, &str) = ("postgresql.cnpg.io", "Pooler");
const CRUNCHY: (&str, &str) = ("postgres-operator.crunchydata.com", "PostgresCluster");
const ELASTICSEARCH: (&str, &str) = ("elasticsearch.k8s.elastic.co", "Elasticsearch");
const KAFKA: (&str, &str) = ("kafka.strimzi.io", "Kafka");
const KAFKA_BRIDGE: (&str, &str) = ("kafka.strimzi.io", "KafkaBridge");
const KAFKA_CONNECT: (&str, &str) = ("kafka.strimzi.io", "KafkaConnect");
const KIBANA: (&str, &str) = ("kibana.k8s.elastic.co", "Kibana");
const MARIADB: (&str, &str) = ("k8s.mariadb.com", "MariaDB");
const MINIO: (&str, &str) = ("minio.min.io", "Tenant");
const MONGODB: (&str, &str) = ("mongodbcommunity.mongodb.com", "MongoDBCommunity");
const NATS: (&str, &str) = ("nats.io", "NatsCluster");
const OT_REDIS: (&str, &str) = ("redis.redis.opstreelabs.in", "Redis");
const OT_REPLICATION: (&str, &str) = ("redis.redis.opstreelabs.in", "RedisReplication");
const OT_CLUSTER: (&str, &str) = ("redis.redis.opstreelabs.in", "RedisCluster");
const OT_SENTINEL: (&str, &str) = ("redis.redis.opstreelabs.in", "RedisSentinel");
const PERCONA_MONGODB: (&str, &str) = ("psmdb.percona.com", "PerconaServerMongoDB");
const PERCONA_MYSQL: (&str, &str) = ("pxc.percona.com", "PerconaXtraDBCluster");
const PERCONA_POSTGRES: (&str, &str) = ("pgv2.percona.com", "PerconaPGCluster");
const PROMETHEUS: (&str, &str) = ("monitoring.coreos.com", "Prometheus");
const RABBITMQ: (&str, &str) = ("rabbitmq.com", "RabbitmqCluster");
const SPOTAHOME: (&str, &str) = ("databases.spotahome.com", "RedisFailover");
const THANOS_RULER: (&str, &str) = ("monitoring.coreos.com", "ThanosRuler");
const VAULT: (&str, &str) = ("vault.banzaicloud.com", "Vault");
const ZALANDO: (&str, &str) = ("acid.zalan.do", "postgresql");

const POSTGRES_PORT: &[(u16, u16)] = &[(5432, 5432)];
const MYSQL_PORTS: &[(u16, u16)] = &[
    (3306, 3306),
    (3307, 3307),
    (3309, 3309),
    (33060, 33060),
    (33062, 33062),
];
const REDIS_PORT: &[(u16, u16)] = &[(6379, 6379)];
const CRUNCHY_LABEL: &str = "postgres-operator.crunchydata.com/cluster";
const CNPG_LABEL: &str = "cnpg.io/cluster";

/// Every Service, by what it is made from.
const TABLE: &[Row] = &[
    row(
        ZALANDO,
        "{}",
        POSTGRES_PORT,
        &[
            ("application", "spilo"),
            ("cluster-name", "{}"),
            ("spilo-role", "master"),
        ],
    ),
    row(
        ZALANDO,
        "{}-repl",
        POSTGRES_PORT,
        &[
            ("application", "spilo"),
            ("cluster-name", "{}"),
            ("spilo-role", "replica"),
        ],
    ),
    row(
        APM_SERVER,
        "{}-apm-http",
        &[(8200, 8200)],
        &[
            ("apm.k8s.elastic.co/name", "{}"),
            ("common.k8s.elastic.co/type", "apm-server"),
        ],
    ),
    row(
        SPOTAHOME,
        "rfs-{}",
        &[(26379, 26379)],
        &[
            ("app.kubernetes.io/component", "sentinel"),
            ("app.kubernetes.io/name", "{}"),
            ("app.kubernetes.io/part-of", "redis-failover"),
        ],
    ),
    headless(
        SPOTAHOME,
        "rfr-{}",
        &[(9121, 9121)],
        &[
            ("app.kubernetes.io/component", "redis"),
            ("app.kubernetes.io/name", "{}"),
            ("app.kubernetes.io/part-of", "redis-failover"),
        ],
    ),
    row(
        SPOTAHOME,
        "rfrm-{}",
        REDIS_PORT,
        &[
            ("app.kubernetes.io/component", "redis"),
            ("app.kubernetes.io/name", "{}"),
            ("redisfailovers-role", "master"),
        ],
    ),
    row(
        SPOTAHOME,
        "rfrs-{}",
        REDIS_PORT,
        &[
            ("app.kubernetes.io/component", "redis"),
            ("app.kubernetes.io/name", "{}"),
            ("redisfailovers-role", "slave"),
        ],
    ),
    row(
        ELASTICSEARCH,
        "{}-es-http",
        &[(9200, 9200)],
        &[
            ("common.k8s.elastic.co/type", "elasticsearch"),
            ("elasticsearch.k8s.elastic.co/cluster-name", "{}"),
        ],
    ),
    headless(
        ELASTICSEARCH,
        "{}-es-transport",
        &[(9300, 9300)],
        &[
            ("common.k8s.elastic.co/type", "elasticsearch"),
            ("elasticsearch.k8s.elastic.co/cluster-name", "{}"),
        ],
    ),
    row(
        ELASTICSEARCH,
        "{}-es-internal-http",
        &[(9200, 9200)],
        &[
            ("common.k8s.elastic.co/type", "elasticsearch"),
            ("elasticsearch.k8s.elastic.co/cluster-name", "{}"),
        ],
    ),
    row(
        MARIADB,
        "{}",
        &[(3306, 3306)],
        &[
            ("app.kubernetes.io/instance", "{}"),
            ("app.kubernetes.io/name", "mariadb"),
        ],
    ),
    row(
        KAFKA,
        "{}-kafka-bootstrap",
        &[(9091, 9091), (9092, 9092), (9093, 9093)],
        &[
            ("strimzi.io/cluster", "{}"),
            ("strimzi.io/kind", "Kafka"),
            ("strimzi.io/name", "{}-kafka"),
        ],
    ),
    headless(
        KAFKA,
        "{}-kafka-brokers",
        &[(9090, 9090), (9091, 9091), (9092, 9092), (9093, 9093)],
        &[
            ("strimzi.io/cluster", "{}"),
            ("strimzi.io/kind", "Kafka"),
            ("strimzi.io/name", "{}-kafka"),
        ],
    ),
    row(
        KAFKA_BRIDGE,
        "{}-bridge-service",
        &[(8080, 8080)],
        &[
            ("strimzi.io/cluster", "{}"),
            ("strimzi.io/kind", "KafkaBridge"),
        ],
    ),
    row(
        KAFKA_CONNECT,
        "{}-connect-api",
        &[(8083, 8083)],
        &[
            ("strimzi.io/cluster", "{}"),
            ("strimzi.io/kind", "KafkaConnect"),
        ],
    ),
    row(
        KIBANA,
        "{}-kb-http",
        &[(5601, 5601)],
        &[
            ("common.k8s.elastic.co/type", "kibana"),
            ("kibana.k8s.elastic.co/name", "{}"),
        ],
    ),
    row(
        MINIO,
        "minio",
        &[(80, 9000), (443, 9000)],
        &[("v1.min.io/tenant", "{}")],
    ),
    row(
        MINIO,
        "{}-console",
        &[(9090, 9090), (9443, 9443)],
        &[("v1.min.io/tenant", "{}")],
    ),
    headless(
        MINIO,
        "{}-hl",
        &[(9000, 9000)],
        &[("v1.min.io/tenant", "{}")],
    ),
    headless(MONGODB, "{}-svc", &[(27017, 27017)], &[("app", "{}-svc")]),
    headless(
        ALERTMANAGER,
        "alertmanager-operated",
        &[(9093, 9093), (9094, 9094)],
        &[("app.kubernetes.io/name", "alertmanager")],
    ),
    headless(
        PROMETHEUS,
        "prometheus-operated",
        &[(9090, 9090)],
        &[("app.kubernetes.io/name", "prometheus")],
    ),
    headless(
        THANOS_RULER,
        "thanos-ruler-operated",
        &[(10901, 10901), (10902, 10902)],
        &[("app.kubernetes.io/name", "thanos-ruler")],
    ),
    row(
        NATS,
        "{}",
        &[(4222, 4222)],
        &[("app", "nats"), ("nats_cluster", "{}")],
    ),
    headless(
        NATS,
        "{}-mgmt",
        &[(6222, 6222), (7777, 7777), (8222, 8222)],
        &[("app", "nats"), ("nats_cluster", "{}")],
    ),
    row(
        PERCONA_POSTGRES,
        "{}-primary",
        POSTGRES_PORT,
        &[(CRUNCHY_LABEL, "{}")],
    ),
    row(
        PERCONA_POSTGRES,
        "{}-replicas",
        POSTGRES_PORT,
        &[(CRUNCHY_LABEL, "{}")],
    ),
    row(
        PERCONA_POSTGRES,
        "{}-ha",
        POSTGRES_PORT,
        &[(CRUNCHY_LABEL, "{}")],
    ),
    row(
        PERCONA_POSTGRES,
        "{}-pgbouncer",
        POSTGRES_PORT,
        &[(CRUNCHY_LABEL, "{}")],
    ),
    row(
        CRUNCHY,
        "{}-primary",
        POSTGRES_PORT,
        &[(CRUNCHY_LABEL, "{}")],
    ),
    row(
        CRUNCHY,
        "{}-replicas",
        POSTGRES_PORT,
        &[(CRUNCHY_LABEL, "{}")],
    ),
    row(CRUNCHY, "{}-ha", POSTGRES_PORT, &[(CRUNCHY_LABEL, "{}")]),
    row(
        CRUNCHY,
        "{}-pgbouncer",
        POSTGRES_PORT,
        &[(CRUNCHY_LABEL, "{}")],
    ),
    row(
        CNPG_CLUSTER,
        "{}-rw",
        POSTGRES_PORT,
        &[(CNPG_LABEL, "{}"), ("cnpg.io/instanceRole", "primary")],
    ),
    row(
        CNPG_CLUSTER,
        "{}-ro",
        POSTGRES_PORT,
        &[(CNPG_LABEL, "{}"), ("cnpg.io/instanceRole", "replica")],
    ),
    row(CNPG_CLUSTER, "{}-r", POSTGRES_PORT, &[(CNPG_LABEL, "{}")]),
    row(
        CNPG_POOLER,
        "{}",
        POSTGRES_PORT,
        &[("cnpg.io/poolerName", "{}")],
    ),
    row(
        PERCONA_MONGODB,
        "{}-mongos",
        &[(27017, 27017)],
        &[
            ("app.kubernetes.io/component", "mongos"),
            ("app.kubernetes.io/instance", "{}"),
        ],
    ),
    row(
        PERCONA_MYSQL,
        "{}-haproxy",
        MYSQL_PORTS,
        &[
            ("app.kubernetes.io/component", "haproxy"),
            ("app.kubernetes.io/instance", "{}"),
        ],
    ),
    row(
        PERCONA_MYSQL,
        "{}-haproxy-replicas",
        MYSQL_PORTS,
        &[
            ("app.kubernetes.io/component", "haproxy"),
            ("app.kubernetes.io/instance", "{}"),
        ],
    ),
    row(
        PERCONA_MYSQL,
        "{}-proxysql",
        MYSQL_PORTS,
        &[
            ("app.kubernetes.io/component", "proxysql"),
            ("app.kubernetes.io/instance", "{}"),
        ],
    ),
    headless(
        PERCONA_MYSQL,
        "{}-pxc",
        MYSQL_PORTS,
        &[
            ("app.kubernetes.io/component", "pxc"),
            ("app.kubernetes.io/instance", "{}"),
        ],
    ),
    row(
        RABBITMQ,
        "{}",
        &[
            (1883, 1883),
            (5671, 5671),
            (5672, 5672),
            (15671, 15671),
            (15672, 15672),
            (15692, 15692),
            (61613, 61613),
        ],
        &[("app.kubernetes.io/name", "{}")],
    ),
    headless(
        RABBITMQ,
        "{}-nodes",
        &[(4369, 4369), (25672, 25672)],
        &[("app.kubernetes.io/name", "{}")],
    ),
    row(OT_REDIS, "{}", REDIS_PORT, &[("app", "{}")]),
    headless(OT_REDIS, "{}-headless", REDIS_PORT, &[("app", "{}")]),
    row(OT_CLUSTER, "{}-leader", REDIS_PORT, &[("app", "{}-leader")]),
    headless(
        OT_CLUSTER,
        "{}-leader-headless",
        REDIS_PORT,
        &[("app", "{}-leader")],
    ),
    row(
        OT_CLUSTER,
        "{}-follower",
        REDIS_PORT,
        &[("app", "{}-follower")],
    ),
    headless(
        OT_CLUSTER,
        "{}-follower-headless",
        REDIS_PORT,
        &[("app", "{}-follower")],
    ),
    row(OT_REPLICATION, "{}", REDIS_PORT, &[("app", "{}")]),
    headless(OT_REPLICATION, "{}-headless", REDIS_PORT, &[("app", "{}")]),
    row(OT_REPLICATION, "{}-master", REDIS_PORT, &[("app", "{}")]),
    row(OT_REPLICATION, "{}-replica", REDIS_PORT, &[("app", "{}")]),
    row(
        OT_SENTINEL,
        "{}-sentinel",
        &[(26379, 26379)],
        &[("app", "{}-sentinel")],
    ),
    headless(
        OT_SENTINEL,
        "{}-sentinel-headless",
        &[(26379, 26379)],
        &[("app", "{}-sentinel")],
    ),
    row(
        VAULT,
        "{}",
        &[(8200, 8200), (8201, 8201)],
        &[("app.kubernetes.io/name", "vault"), ("vault_cr", "{}")],
    ),
];

/// The Services that a well-known operator makes from an object, sorted as in the operator's row.
pub fn operator_services(object: &Object) -> Vec<OperatorService> {
    let kind = &object.key.kind;
    // No operator's group is one of Kubernetes' own.
    if !kind.group.contains('.') || kind.group.ends_with(".k8s.io") {
        return Vec::new();
    }
    let group = canonical_group(&kind.group, &kind.kind);
    let rows = TABLE
        .iter()
        .filter(|row| row.kind == (group, kind.kind.as_str()));
    let mut found: Vec<OperatorService> = rows.map(|row| made(row, object)).collect();
    match (group, kind.kind.as_str()) {
        CNPG_CLUSTER => cnpg_additional(object, &mut found),
        KAFKA => strimzi_listeners(object, &mut found),
        _ => {}
    }
    found
}

fn made(row: &Row, object: &Object) -> OperatorService {
    let named = |pattern: &str| pattern.replace("{}", &object.key.name);
    let labels = row.pod_labels.iter();
    OperatorService {
        namespace: namespace_of(&object.key).to_owned(),
        name: named(row.name),
        ports: row.ports.to_vec(),
        pod_labels: labels
            .map(|(key, value)| ((*key).to_owned(), named(value)))
            .collect(),
        headless: row.headless,
    }
}

/// CloudNativePG: Services that the cluster asks for beside those that it always has.
fn cnpg_additional(object: &Object, found: &mut Vec<OperatorService>) {
    let own = format!("{}-r", object.key.name);
    let Some(any) = found.iter().find(|service| service.name == own).cloned() else {
        return;
    };
    for field in Field::root(object).each("spec.managed.services.additional") {
        if let Some(name) = field.text_at("serviceTemplate.metadata.name") {
            found.push(OperatorService {
                name: name.to_owned(),
                ..any.clone()
            });
        }
    }
}

/// Strimzi: every listener has a port of its own.
fn strimzi_listeners(object: &Object, found: &mut [OperatorService]) {
    for listener in Field::root(object).each("spec.kafka.listeners") {
        let port = listener.get("port").and_then(|port| port.value.as_u64());
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
            continue;
        };
        for service in found.iter_mut() {
            if !service.ports.contains(&(port, port)) {
                service.ports.push((port, port));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn services(value: serde_json::Value) -> Vec<OperatorService> {
        let object = Object::from_value(value, Depth::Full, Origin::Live).expect("an object");
        operator_services(&object)
    }

    #[test]
    fn names_ports_and_labels_follow_the_object() {
        let found = services(json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
            "metadata": {"name": "pg", "namespace": "data"},
            "spec": {"managed": {"services": {"additional": [
                {"serviceTemplate": {"metadata": {"name": "pg-lb"}}},
            ]}}},
        }));
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["pg-rw", "pg-ro", "pg-r", "pg-lb"]);
        assert_eq!(
            found[0].pod_labels[0],
            ("cnpg.io/cluster".to_owned(), "pg".to_owned())
        );
        let found = services(json!({
            "apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka",
            "metadata": {"name": "events", "namespace": "data"},
            "spec": {"kafka": {"listeners": [{"name": "scram", "port": 9095}]}},
        }));
        assert_eq!(found[0].name, "events-kafka-bootstrap");
        assert!(found[0].ports.contains(&(9095, 9095)));
    }

    #[test]
    fn every_row_has_a_port_and_a_label() {
        for row in TABLE {
            assert!(
                !row.ports.is_empty() && !row.pod_labels.is_empty(),
                "{}",
                row.name
            );
        }
    }
}

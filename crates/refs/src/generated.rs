//! What controllers make from an object without its being declared.

use underpin_model::{GroupKind, Object, ObjectKey, canonical_group};

use crate::{
    field::Field,
    kinds::apps::{claim_kind, claim_names},
    operators::operator_services,
};

/// What is made: collects keys beside the object.
struct Made<'a> {
    object: &'a Object,
    root: Field<'a>,
    keys: Vec<ObjectKey>,
}

type Maker = fn(&mut Made<'_>);

/// Every kind known to make others under names that can be foretold; Services of operators stand in
/// `operators`.
const TABLE: &[(&str, &str, Maker)] = &[
    ("", "Namespace", namespace),
    ("", "Pod", ephemeral_claims),
    ("", "Service", |made| made.own_name("Endpoints")),
    ("", "ServiceAccount", service_account_tokens),
    ("acid.zalan.do", "postgresql", zalando_postgresql),
    ("apps", "StatefulSet", stateful_set),
    ("bitnami.com", "SealedSecret", |made| {
        made.own_name("Secret");
    }),
    ("cert-manager.io", "Certificate", |made| {
        made.secret_at("spec.secretName");
    }),
    ("cert-manager.io", "Issuer", |made| {
        made.secret_at("spec.acme.privateKeySecretRef.name");
    }),
    ("elasticsearch.k8s.elastic.co", "Elasticsearch", |made| {
        made.suffixed("Secret", &["-es-elastic-user", "-es-http-certs-public"]);
    }),
    ("external-secrets.io", "ExternalSecret", external_secret),
    ("gateway.networking.k8s.io", "Gateway", gateway),
    ("isindir.github.com", "SopsSecret", |made| {
        made.secrets_in("spec.secretTemplates", "name");
    }),
    ("k8s.bitwarden.com", "BitwardenSecret", |made| {
        made.secret_at("spec.secretName");
    }),
    ("kafka.strimzi.io", "Kafka", |made| {
        made.suffixed("Secret", &["-cluster-ca-cert", "-clients-ca-cert"]);
    }),
    ("kafka.strimzi.io", "KafkaUser", |made| {
        made.own_name("Secret");
    }),
    ("keda.sh", "ScaledObject", keda_scaled_object),
    ("networking.k8s.io", "Ingress", ingress),
    ("onepassword.com", "OnePasswordItem", |made| {
        made.own_name("Secret");
    }),
    (
        "postgres-operator.crunchydata.com",
        "PostgresCluster",
        |made| {
            let name = made.object.key.name.clone();
            made.add("Secret", &format!("{name}-pguser-{name}"));
        },
    ),
    ("postgresql.cnpg.io", "Cluster", cnpg_cluster),
    ("rabbitmq.com", "RabbitmqCluster", |made| {
        made.suffixed("Secret", &["-default-user", "-erlang-cookie"]);
    }),
    ("secrets.doppler.com", "DopplerSecret", |made| {
        made.secret_ref("spec.managedSecret", "name", "namespace");
    }),
    ("secrets.hashicorp.com", "HCPVaultSecretsApp", vault_secret),
    ("secrets.hashicorp.com", "VaultDynamicSecret", vault_secret),
    ("secrets.hashicorp.com", "VaultPKISecret", vault_secret),
    ("secrets.hashicorp.com", "VaultStaticSecret", vault_secret),
    ("secrets.infisical.com", "InfisicalSecret", infisical_secret),
    ("serving.knative.dev", "Service", |made| {
        made.own_name("Service");
    }),
    ("spv.no", "AzureKeyVaultSecret", |made| {
        made.secret_at("spec.output.secret.name");
    }),
];

/// Objects that a controller will make from this one, where their names can be foretold: for
/// instance the Secret of a Certificate, the claims of a StatefulSet, the Services of a database.
/// A reference to one of them is not dangling though nobody declares it.
pub fn generated(object: &Object) -> Vec<ObjectKey> {
    let kind = &object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    let mut made = Made {
        object,
        root: Field::root(object),
        keys: Vec::new(),
    };
    for service in operator_services(object) {
        made.add("Service", &service.name);
    }
    for (_, _, maker) in TABLE
        .iter()
        .filter(|row| row.0 == group && row.1 == kind.kind)
    {
        maker(&mut made);
    }
    made.keys
}

impl Made<'_> {
    fn add(&mut self, kind: &str, name: &str) {
        let namespace = self.object.key.namespace.clone();
        self.add_in(namespace, kind, name);
    }

    fn add_in(&mut self, namespace: Option<String>, kind: &str, name: &str) {
        let key = ObjectKey {
            kind: GroupKind::core(kind),
            namespace,
            name: name.to_owned(),
        };
        if !name.is_empty() && !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    fn own_name(&mut self, kind: &str) {
        let name = self.object.key.name.clone();
        self.add(kind, &name);
    }

    fn suffixed(&mut self, kind: &str, suffixes: &[&str]) {
        for suffix in suffixes {
            let name = format!("{}{suffix}", self.object.key.name);
            self.add(kind, &name);
        }
    }

    fn secret_at(&mut self, dotted: &str) {
        if let Some(name) = self.root.text_at(dotted) {
            self.add("Secret", name);
        }
    }

    fn secrets_in(&mut self, list: &str, name: &str) {
        for item in self.root.each(list) {
            if let Some(name) = item.text_at(name) {
                self.add("Secret", name);
            }
        }
    }

    /// A Secret that may lie elsewhere.
    fn secret_ref(&mut self, dotted: &str, name: &str, namespace: &str) {
        if let Some(field) = self.root.at(dotted) {
            self.secret_of(&field, name, namespace);
        }
    }

    fn secret_of(&mut self, field: &Field<'_>, name: &str, namespace: &str) {
        let namespace = field.text_at(namespace).map(str::to_owned);
        let namespace = namespace.or_else(|| self.object.key.namespace.clone());
        if let Some(name) = field.text_at(name) {
            self.add_in(namespace, "Secret", name);
        }
    }
}

fn namespace(made: &mut Made<'_>) {
    let name = Some(made.object.key.name.clone());
    made.add_in(name.clone(), "ConfigMap", "kube-root-ca.crt");
    made.add_in(name, "ServiceAccount", "default");
}

/// Volumes of kind `ephemeral` get a claim named after pod and volume.
fn ephemeral_claims(made: &mut Made<'_>) {
    for volume in made.root.each("spec.volumes") {
        if let (Some(_), Some(name)) = (volume.get("ephemeral"), volume.text_at("name")) {
            let claim = format!("{}-{name}", made.object.key.name);
            made.add("PersistentVolumeClaim", &claim);
        }
    }
}

/// Old servers list the tokens that they made on the account.
fn service_account_tokens(made: &mut Made<'_>) {
    let prefix = format!("{}-token-", made.object.key.name);
    for secret in made.root.each("secrets") {
        if let Some(name) = secret
            .text_at("name")
            .filter(|name| name.starts_with(&prefix))
        {
            made.add("Secret", name);
        }
    }
}

fn stateful_set(made: &mut Made<'_>) {
    let namespace = made.object.key.namespace.clone();
    for (_, names) in claim_names(&made.root) {
        made.keys.extend(names.into_iter().map(|name| ObjectKey {
            kind: claim_kind(),
            namespace: namespace.clone(),
            name,
        }));
    }
}

fn external_secret(made: &mut Made<'_>) {
    match made.root.text_at("spec.target.creationPolicy") {
        Some("None" | "Merge") => {}
        _ if made.root.at("spec.target.name").is_some() => made.secret_at("spec.target.name"),
        _ => made.own_name("Secret"),
    }
}

/// Vault makes the Secret only where it is told to; otherwise it fills one that must exist.
fn vault_secret(made: &mut Made<'_>) {
    let creates = made
        .root
        .at("spec.destination")
        .is_some_and(|destination| destination.is_true("create"));
    if creates {
        made.secret_at("spec.destination.name");
    }
}

fn infisical_secret(made: &mut Made<'_>) {
    made.secret_ref(
        "spec.managedSecretReference",
        "secretName",
        "secretNamespace",
    );
    for field in made.root.each("spec.managedKubeSecretReferences") {
        made.secret_of(&field, "secretName", "secretNamespace");
    }
}

const CERT_MANAGER_ANNOTATIONS: &[&str] = &[
    "cert-manager.io/cluster-issuer",
    "cert-manager.io/issuer",
    "kubernetes.io/tls-acme",
];

fn has_certificate_annotation(object: &Object) -> bool {
    CERT_MANAGER_ANNOTATIONS.iter().any(|annotation| {
        object
            .annotation(annotation)
            .is_some_and(|value| value != "false")
    })
}

fn ingress(made: &mut Made<'_>) {
    if has_certificate_annotation(made.object) {
        made.secrets_in("spec.tls", "secretName");
    }
}

fn gateway(made: &mut Made<'_>) {
    if !has_certificate_annotation(made.object) {
        return;
    }
    for listener in made.root.each("spec.listeners") {
        for certificate in listener.each("tls.certificateRefs") {
            made.secret_of(&certificate, "name", "namespace");
        }
    }
}

fn cnpg_cluster(made: &mut Made<'_>) {
    made.suffixed(
        "Secret",
        &["-app", "-superuser", "-ca", "-server", "-replication"],
    );
}

fn zalando_postgresql(made: &mut Made<'_>) {
    let users = made.root.at("spec.users");
    let declared = users.iter().flat_map(Field::entries).map(|(user, _)| user);
    for user in declared.chain(["postgres", "standby"]) {
        let user = user.replace('_', "-");
        let name = &made.object.key.name;
        let secret = format!("{user}.{name}.credentials.postgresql.acid.zalan.do");
        made.add("Secret", &secret);
    }
}

fn keda_scaled_object(made: &mut Made<'_>) {
    let field = "spec.advanced.horizontalPodAutoscalerConfig.name";
    let given = made.root.text_at(field).map(str::to_owned);
    let name = given.unwrap_or_else(|| format!("keda-hpa-{}", made.object.key.name));
    made.keys.push(ObjectKey {
        kind: GroupKind::new("autoscaling", "HorizontalPodAutoscaler"),
        namespace: made.object.key.namespace.clone(),
        name,
    });
}

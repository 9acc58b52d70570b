//! From a kubeconfig, or a pod's service account, to a [`Cluster`].

use std::{
    env,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::{Cluster, ClusterError, SystemHost, transport::chain};

/// Longest time to establish a connection; requests have their own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Name of the context, and of the user, when running in a pod.
const IN_CLUSTER: &str = "in-cluster";

/// Which cluster, as whom, and how patiently.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The kubeconfig; without it the list in `KUBECONFIG`, then `~/.kube/config`, then the pod's
    /// service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context; without it the current one.
    pub context: Option<String>,
    /// Time limit of each request, repetitions included.
    pub request_timeout: Duration,
}

impl Cluster {
    /// Prepares the connection. Sends nothing to the cluster; a credential plugin of the
    /// kubeconfig may run.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ClusterError> {
        let paths = candidate_paths(options.kubeconfig.as_deref());
        let found: Vec<&PathBuf> = match &options.kubeconfig {
            Some(path) => vec![path],
            None => paths.iter().filter(|path| path.exists()).collect(),
        };
        let (config, context, user) = if found.is_empty() {
            in_cluster(paths, options.context.as_deref())?
        } else {
            from_files(&found, options.context.as_deref()).await?
        };
        build(config, context, user, options.request_timeout).await
    }
}

async fn build(
    mut config: Config,
    context: String,
    user: String,
    request_timeout: Duration,
) -> Result<Cluster, ClusterError> {
    config.connect_timeout = Some(CONNECT_TIMEOUT.min(request_timeout));
    config.default_retry = false; // ours are bounded in time and know what may be repeated
    let server = config.cluster_url.to_string();
    let server = server.trim_end_matches('/').to_owned();
    // A credential plugin runs in here, as a process that is waited for.
    let client = tokio::task::spawn_blocking(move || Client::try_from(config))
        .await
        .map_err(|error| bad_context(&context, error.to_string()))?
        .map_err(|error| bad_context(&context, chain(&error)))?;
    Ok(Cluster::new(
        client,
        &context,
        server,
        user,
        request_timeout,
        Arc::new(SystemHost),
    ))
}

/// The kubeconfigs to look for, in order of precedence.
fn candidate_paths(named: Option<&Path>) -> Vec<PathBuf> {
    if let Some(path) = named {
        return vec![path.to_owned()];
    }
    let listed: Vec<PathBuf> = env::var_os("KUBECONFIG")
        .map(|list| env::split_paths(&list).collect())
        .unwrap_or_default();
    let listed: Vec<PathBuf> = listed
        .into_iter()
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
    home.map(|home| home.join(".kube").join("config"))
        .into_iter()
        .collect()
}

fn in_cluster(
    tried: Vec<PathBuf>,
    wanted: Option<&str>,
) -> Result<(Config, String, String), ClusterError> {
    if env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
        return Err(ClusterError::NoKubeconfig { tried });
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != IN_CLUSTER) {
        return Err(ClusterError::NoContext {
            wanted: Some(wanted.to_owned()),
            known: vec![IN_CLUSTER.to_owned()],
        });
    }
    let config = Config::incluster().map_err(|error| bad_context(IN_CLUSTER, chain(&error)))?;
    Ok((config, IN_CLUSTER.to_owned(), IN_CLUSTER.to_owned()))
}

async fn from_files(
    paths: &[&PathBuf],
    wanted: Option<&str>,
) -> Result<(Config, String, String), ClusterError> {
    let mut merged = Kubeconfig::default();
    for path in paths {
        let unreadable = |error: &KubeconfigError| ClusterError::KubeconfigUnreadable {
            path: (*path).clone(),
            reason: file_reason(error),
        };
        let next = Kubeconfig::read_from(path).map_err(|error| unreadable(&error))?;
        merged = merged.merge(next).map_err(|error| unreadable(&error))?;
    }
    let (context, user) = choose_context(&merged, wanted)?;
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let says_proxy = merged.clusters.iter().any(|named| {
        let cluster = named.cluster.as_ref();
        cluster.is_some_and(|cluster| cluster.proxy_url.is_some())
    });
    let mut config = Config::from_custom_kubeconfig(merged, &options)
        .await
        .map_err(|error| bad_context(&context, chain(&error)))?;
    // A proxy of the environment is not for this machine itself; kubectl sees it the same way.
    if !says_proxy && config.cluster_url.host().is_some_and(is_loopback) {
        config.proxy_url = None;
    }
    Ok((config, context, user))
}

/// Whether a URL's host is this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The context to use and its user.
fn choose_context(
    kubeconfig: &Kubeconfig,
    wanted: Option<&str>,
) -> Result<(String, String), ClusterError> {
    let current = kubeconfig.current_context.as_deref();
    let name = wanted.or(current.filter(|name| !name.is_empty()));
    let named = kubeconfig
        .contexts
        .iter()
        .find(|context| Some(context.name.as_str()) == name);
    let Some(named) = named else {
        let mut known: Vec<String> = kubeconfig
            .contexts
            .iter()
            .map(|context| context.name.clone())
            .collect();
        known.sort();
        return Err(ClusterError::NoContext {
            wanted: name.map(str::to_owned),
            known,
        });
    };
    let user = named
        .context
        .as_ref()
        .and_then(|context| context.user.clone());
    Ok((named.name.clone(), user.unwrap_or_default()))
}

/// Why a kubeconfig cannot be read. A parser's message quotes the file, which holds credentials: only
/// the position is told.
fn file_reason(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::Parse(error) => {
            let text = error.to_string();
            let position = text
                .find("line ")
                .and_then(|start| text[start..].split(':').next());
            match position {
                Some(position) if position.len() < 40 => {
                    format!("it is not a kubeconfig in YAML: {position}")
                }
                _ => "it is not a kubeconfig in YAML".to_owned(),
            }
        }
        other => chain(other),
    }
}

fn bad_context(context: &str, reason: String) -> ClusterError {
    ClusterError::BadContext {
        context: context.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: u, user: {token: hunter2}}]
contexts: [{name: two, context: {cluster: c, user: u}}, {name: one, context: {cluster: c}}]
";

    async fn connect(text: &str, context: Option<&str>) -> Result<Cluster, ClusterError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, text).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Cluster::connect(&ConnectOptions {
            kubeconfig: Some(path),
            context: context.map(str::to_owned),
            request_timeout: Duration::from_secs(5),
        })
        .await
    }

    #[tokio::test]
    async fn a_context_gives_server_and_user() {
        let cluster = connect(KUBECONFIG, Some("two")).await.unwrap();
        assert_eq!(
            (cluster.context(), cluster.user(), cluster.server()),
            ("two", "u", "http://127.0.0.1:1")
        );
    }

    #[tokio::test]
    async fn an_unknown_context_is_answered_with_the_known_ones() {
        let error = connect(KUBECONFIG, Some("three")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the kubeconfig has no context three; there are: one, two"
        );
        let error = connect(KUBECONFIG, None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the kubeconfig has no current context; name one with --context; there are: one, two"
        );
    }

    #[tokio::test]
    async fn a_broken_kubeconfig_is_located_and_never_quoted() {
        for text in [
            "{a: [",
            "users: hunter2",
            "users: [{user: {token: [hunter2]}}]",
        ] {
            let error = connect(text, None).await.unwrap_err();
            let ClusterError::KubeconfigUnreadable { reason, .. } = &error else {
                panic!("{error:?}");
            };
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(reason.starts_with("it is not a kubeconfig"), "{reason}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_reported_at_once() {
        let cluster = connect(KUBECONFIG, Some("two")).await.unwrap();
        let begun = tokio::time::Instant::now();
        let error = cluster.identity().await.unwrap_err();
        assert!(
            matches!(error, ClusterError::Unreachable { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("Connection refused"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

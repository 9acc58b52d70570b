//! Who the operator is to a registry: what docker and podman keep, or what is given.

use std::{
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};
use underpin_image::Host;

/// Longest file of credentials, and longest answer of a helper.
const LIMIT: u64 = 1024 * 1024;
/// Longest time for a helper to answer.
const HELPER: Duration = Duration::from_secs(30);
/// The user of a secret that is a token to get tokens with.
const TOKEN_USER: &str = "<token>";
/// What helpers say of a registry that they do not know.
const UNKNOWN: &str = "credentials not found";
/// The key under which the hub's credentials are kept.
const HUB_KEY: &str = "index.docker.io";

/// Credentials. Their debug form shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(pub(crate) Secret);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Password {
        user: Arc<str>,
        password: Arc<str>,
    },
    /// A token that is exchanged for those of requests.
    Identity(Arc<str>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(•••)")
    }
}

/// Why credentials cannot be had. Never repeats any.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}:{line}:{column}: this is no configuration of docker or podman")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// What is kept for a host cannot be used.
    #[error("{path}: what it keeps for {host} is not USER:PASSWORD in base64; log in to it again")]
    Entry {
        /// The file.
        path: PathBuf,
        /// The registry.
        host: Host,
    },
    /// A file that should hold `USER:PASSWORD`.
    #[error("{path}: the first line is not USER:PASSWORD")]
    Line {
        /// The file.
        path: PathBuf,
    },
    /// The program that keeps credentials.
    #[error("docker-credential-{name} does not tell the credentials for {host}: {problem}")]
    Helper {
        /// Its name.
        name: String,
        /// The registry.
        host: Host,
        /// What is wrong.
        problem: String,
    },
}

impl Credentials {
    /// A user and a password, or an access token in its place.
    pub fn password(user: &str, password: &str) -> Self {
        if user == TOKEN_USER {
            return Self(Secret::Identity(password.into()));
        }
        Self(Secret::Password {
            user: user.into(),
            password: password.into(),
        })
    }

    /// Those of a file whose first line is `USER:PASSWORD`.
    pub fn of_file(path: &Path) -> Result<Self, CredentialError> {
        let text = read_limited(path).map_err(|source| CredentialError::Io {
            path: path.to_owned(),
            source,
        })?;
        let line = text.lines().next().and_then(|line| line.split_once(':'));
        match line {
            Some((user, password)) if !user.is_empty() => Ok(Self::password(user, password)),
            _ => Err(CredentialError::Line {
                path: path.to_owned(),
            }),
        }
    }
}

/// Files in which docker and podman keep credentials, the first that knows a registry counts.
#[derive(Clone, Debug, Default)]
pub struct CredentialStores {
    files: Vec<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct File {
    auths: std::collections::BTreeMap<String, Entry>,
    cred_helpers: std::collections::BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
    /// Secrets of Kubernetes may hold these two instead.
    username: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

impl CredentialStores {
    /// These files, in this order. One that does not exist knows nothing.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { files }
    }

    /// The files that docker and podman would look at; `variable` looks into the environment.
    pub fn of_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let home = set("HOME");
        let configured = set("XDG_CONFIG_HOME").or(home.clone().map(|home| home.join(".config")));
        let files = [
            set("REGISTRY_AUTH_FILE"),
            set("DOCKER_CONFIG").map(|folder| folder.join("config.json")),
            set("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            configured.map(|folder| folder.join("containers/auth.json")),
            home.map(|home| home.join(".docker/config.json")),
        ];
        Self::new(files.into_iter().flatten().collect())
    }

    /// What they keep for a registry. A file that cannot be read is an error, for it may know it.
    pub async fn find(&self, host: &Host) -> Result<Option<Credentials>, CredentialError> {
        for path in &self.files {
            let text = match read_limited(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(|source| CredentialError::Io {
                    path: path.clone(),
                    source,
                })?,
            };
            // What serde says of a value may repeat it.
            let file: File =
                serde_json::from_str(&text).map_err(|error| CredentialError::Syntax {
                    path: path.clone(),
                    line: error.line(),
                    column: error.column(),
                })?;
            if let Some(found) = of_file(&file, path, host).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

async fn of_file(
    file: &File,
    path: &Path,
    host: &Host,
) -> Result<Option<Credentials>, CredentialError> {
    let helper = file.cred_helpers.iter().find(|(key, _)| is_for(key, host));
    if let Some((key, name)) = helper {
        return ask_helper(name, key, host).await;
    }
    let kept = file.auths.iter().find(|(key, _)| is_for(key, host));
    if let Some((_, entry)) = kept {
        if let Some(token) = entry.identitytoken.as_deref().filter(|it| !it.is_empty()) {
            return Ok(Some(Credentials(Secret::Identity(token.into()))));
        }
        if let Some(auth) = entry.auth.as_deref().filter(|auth| !auth.is_empty()) {
            return decoded(auth).map(Some).ok_or(CredentialError::Entry {
                path: path.to_owned(),
                host: host.clone(),
            });
        }
        if let (Some(user), Some(password)) = (&entry.username, &entry.password) {
            return Ok(Some(Credentials::password(user, password)));
        }
    }
    match &file.creds_store {
        Some(name) => {
            let key = kept.map_or_else(|| host.to_string(), |(key, _)| key.clone());
            ask_helper(name, &key, host).await
        }
        None => Ok(None),
    }
}

/// Whether a key such as `https://index.docker.io/v1/` means a registry.
fn is_for(key: &str, host: &Host) -> bool {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    // Keys of podman with a path are for a part of a registry alone.
    let (name, path) = key.split_once('/').unwrap_or((key, ""));
    let is_whole = matches!(path.trim_end_matches('/'), "" | "v1" | "v2");
    let name = if name == HUB_KEY { "docker.io" } else { name };
    is_whole && Host::new(name).is_ok_and(|named| named == *host)
}

fn decoded(auth: &str) -> Option<Credentials> {
    let bytes = STANDARD.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    let password = password.trim_end_matches('\0');
    (!user.is_empty()).then(|| Credentials::password(user, password))
}

fn read_limited(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    let file = fs::File::open(path)?;
    if file.take(LIMIT + 1).read_to_string(&mut text)? as u64 > LIMIT {
        return Err(io::Error::other("the file is too long"));
    }
    Ok(text)
}

/// Asks `docker-credential-NAME get`.
async fn ask_helper(
    name: &str,
    key: &str,
    host: &Host,
) -> Result<Option<Credentials>, CredentialError> {
    let fail = |problem: &str| CredentialError::Helper {
        name: name.to_owned(),
        host: host.clone(),
        problem: problem.to_owned(),
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(is_part) {
        return Err(fail("its name is not one of a program"));
    }
    let helper = Command::new(format!("docker-credential-{name}"));
    ask_program(helper, key)
        .await
        .map_err(|problem| fail(&problem))
}

/// Asks a credential helper; `None` where it does not know the registry.
async fn ask_program(helper: Command, key: &str) -> Result<Option<Credentials>, String> {
    let asked = tokio::time::timeout(HELPER, run(helper, key)).await;
    let asked = asked.map_err(|_| "it did not answer within 30 s")?;
    let (is_success, output) = asked.map_err(|error| error.to_string())?;
    if !is_success {
        if String::from_utf8_lossy(&output).contains(UNKNOWN) {
            return Ok(None);
        }
        return Err("it failed; `docker login` asks it likewise".to_owned());
    }
    let answer: HelperAnswer = serde_json::from_slice(&output)
        .map_err(|_| "its answer is not one of a credential helper")?;
    Ok(Some(Credentials::password(
        &answer.username,
        &answer.secret,
    )))
}

async fn run(mut helper: Command, key: &str) -> io::Result<(bool, Vec<u8>)> {
    let mut child = helper
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(key.as_bytes()).await {
            // One that asks nobody answers all the same.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(LIMIT).read_to_end(&mut output).await?;
    }
    Ok((child.wait().await?.success(), output))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(text: &str, host: &str) -> Result<Option<Credentials>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, text).unwrap();
        let missing = folder.path().join("missing.json");
        let stores = CredentialStores::new(vec![missing, path]);
        let found = stores.find(&Host::new(host).unwrap()).await;
        let folder = folder.path().display().to_string();
        found.map_err(|error| error.to_string().replace(&folder, "FOLDER"))
    }

    fn auths(key: &str, auth: &str) -> String {
        let auth = STANDARD.encode(auth);
        format!(r#"{{"auths": {{"{key}": {{"auth": "{auth}"}}}}}}"#)
    }

    #[tokio::test]
    async fn a_registry_is_found_under_every_form_of_its_name() {
        let expect = Ok(Some(Credentials::password("ci", "hunter2:x")));
        for key in [
            "r.example.com",
            "https://r.example.com",
            "r.example.com/v2/",
            "R.example.com:443",
        ] {
            let found = find(&auths(key, "ci:hunter2:x"), "r.example.com").await;
            assert_eq!(found, expect, "{key}");
        }
        let hub = auths("https://index.docker.io/v1/", "ci:hunter2:x");
        assert_eq!(find(&hub, "docker.io").await, expect);
        for key in ["r.example.com/team", "r.example.com:5000", "s.example.com"] {
            let found = find(&auths(key, "ci:hunter2:x"), "r.example.com").await;
            assert_eq!(found, Ok(None), "{key}");
        }
    }

    #[tokio::test]
    async fn a_secret_of_kubernetes_may_hold_it_in_two_fields() {
        let text = r#"{"auths": {"r": {"username": "ci", "password": "hunter2", "email": "x"}}}"#;
        let expect = Credentials::password("ci", "hunter2");
        assert_eq!(find(text, "r").await, Ok(Some(expect)));
    }

    #[tokio::test]
    async fn a_token_to_get_tokens_with_is_no_password() {
        let text = r#"{"auths": {"r.example.com": {"auth": "", "identitytoken": "hunter2"}}}"#;
        let found = find(text, "r.example.com").await.unwrap().unwrap();
        assert!(found == Credentials::password("<token>", "hunter2"));
        assert_eq!(format!("{found:?}"), "Credentials(•••)");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error_and_is_not_shown() {
        let error = find("{\"auths\": {\n \"r\": \"hunter2\"}}", "r")
            .await
            .unwrap_err();
        assert!(error.starts_with("FOLDER/config.json:2:"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let error = find(&auths("r", "hunter2"), "r").await.unwrap_err();
        assert!(error.contains("log in to it again"), "{error}");
        let error = find(r#"{"credsStore": "../x"}"#, "r").await.unwrap_err();
        assert!(error.contains("not one of a program"), "{error}");
        let error = find(r#"{"credHelpers": {"r": "no-such-helper"}}"#, "r").await;
        assert!(
            error
                .unwrap_err()
                .starts_with("docker-credential-no-such-helper does")
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_helper_is_asked_for_a_registry() {
        let ask = async |script: &str| {
            let mut helper = Command::new("sh");
            // What follows is `get`, which the script sees as its own name.
            helper.arg("-c").arg(script);
            ask_program(helper, "r.example.com").await
        };
        let answers = r#"read -r key; [ "$0 $key" = "get r.example.com" ] || exit 1
            echo '{"ServerURL": "x", "Username": "ci", "Secret": "hunter2"}'"#;
        let expect = Credentials::password("ci", "hunter2");
        assert_eq!(ask(answers).await, Ok(Some(expect)));
        let unknown = "echo credentials not found in native keychain; exit 1";
        assert_eq!(ask(unknown).await, Ok(None));
        for (script, expect) in [
            (
                "echo hunter2; exit 1",
                "it failed; `docker login` asks it likewise",
            ),
            (
                "echo hunter2",
                "its answer is not one of a credential helper",
            ),
        ] {
            assert_eq!(ask(script).await, Err(expect.to_owned()));
        }
    }

    #[test]
    fn the_environment_names_the_files() {
        let stores = CredentialStores::of_environment(&|name| match name {
            "HOME" => Some("/home/ci".into()),
            "DOCKER_CONFIG" => Some("/etc/docker-ci".into()),
            _ => None,
        });
        let files: Vec<String> = stores
            .files
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        assert_eq!(
            files,
            [
                "/etc/docker-ci/config.json",
                "/home/ci/.config/containers/auth.json",
                "/home/ci/.docker/config.json"
            ]
        );
    }
}

//! Carries the sequences out on both sides, many at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};
use underpin_testenv::{Components, ControlPlane, Options, api};

use crate::{
    compare::{self, Difference},
    expand::{self, Concrete, Known},
    normal::Names,
    server::{Answer, Server},
    topic::{Sequence, Step, Topic},
};

/// Sequences under way at once.
const AT_ONCE: usize = 12;
/// Looks before a step's condition is given up.
const LOOKS: usize = 500;
/// What a new namespace gets, which other requests rely on.
const AMBIENT: [&str; 2] = ["serviceaccounts/default", "configmaps/kube-root-ca.crt"];

/// What a run found.
pub(crate) struct Outcome {
    /// The server's, such as `1.20`.
    pub(crate) version: String,
    /// By topic.
    pub(crate) counts: BTreeMap<String, Counts>,
    /// By place.
    pub(crate) differences: Vec<Difference>,
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// On each side, those that read what was written included.
    pub(crate) requests: usize,
    pub(crate) fields: usize,
}

/// One side's answers of one sequence, ready for comparison, with the name of each step.
type Transcript = Vec<(String, Answer)>;

/// Runs all topics against a sandbox each and one control plane, which ends with the run.
pub(crate) fn all(topics: &[Topic]) -> Result<Outcome> {
    let control_plane = ControlPlane::start(&Components::find()?, &Options::default())?;
    let runtime = tokio::runtime::Runtime::new().context("runtime")?;
    runtime.block_on(on(&control_plane, topics))
}

async fn on(control_plane: &ControlPlane, topics: &[Topic]) -> Result<Outcome> {
    let client = api::client(control_plane.admin()).await?;
    let mut outcome = Outcome {
        version: version(&client).await?,
        counts: BTreeMap::new(),
        differences: Vec::new(),
    };
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for topic in topics {
        for (name, sequence) in &topic.sequences {
            let (topic, name, sequence) = (topic.name.clone(), name.clone(), sequence.clone());
            let (client, permits) = (client.clone(), permits.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await?;
                let place = format!("{topic}/{name}");
                let compared = both(&place, &sequence, client).await;
                compared.map(|found| (topic, found)).with_context(|| place)
            });
        }
    }
    let mut errors = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (topic, (differences, counts)) = match done.context("a sequence panicked")? {
            Ok(done) => done,
            Err(error) => {
                errors.push(format!("{error:#}"));
                continue;
            }
        };
        let sum = outcome.counts.entry(topic).or_default();
        sum.requests += counts.requests;
        sum.fields += counts.fields;
        outcome.differences.extend(differences);
    }
    ensure!(errors.is_empty(), "{}", errors.join("\n"));
    outcome.differences.sort_by_key(Difference::place);
    Ok(outcome)
}

/// Major and minor version of the server.
async fn version(client: &kube::Client) -> Result<String> {
    let answer = api::send(client, "GET", "/version", None).await?;
    let full = answer.body["gitVersion"].as_str().context("no version")?;
    let mut parts = full.trim_start_matches('v').splitn(3, '.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => Ok(format!("{major}.{minor}")),
        _ => Err(anyhow!("version {full}")),
    }
}

async fn both(
    place: &str,
    sequence: &Sequence,
    client: kube::Client,
) -> Result<(Vec<Difference>, Counts)> {
    let namespace = place.replace('/', "-");
    let (mut differences, counts) = compared(place, &namespace, sequence, client.clone()).await?;
    if differences.iter().any(Difference::may_be_the_clock) {
        let (again, _) = compared(place, &format!("{namespace}-2"), sequence, client).await?;
        let again: BTreeSet<String> = again.iter().map(Difference::place).collect();
        differences.retain(|one| !one.may_be_the_clock() || again.contains(&one.place()));
    }
    Ok((differences, counts))
}

/// Plays a sequence on both sides, in a namespace of this name, and compares the answers.
async fn compared(
    place: &str,
    namespace: &str,
    sequence: &Sequence,
    client: kube::Client,
) -> Result<(Vec<Difference>, Counts)> {
    let server = transcript(namespace, sequence, Server::Real(client))
        .await
        .context("server")?;
    let sandbox = transcript(namespace, sequence, Server::sandbox())
        .await
        .context("sandbox")?;
    let mut differences = Vec::new();
    let mut counts = Counts::default();
    ensure!(server.len() == sandbox.len(), "not the same requests");
    for ((step, server), (_, sandbox)) in server.iter().zip(&sandbox) {
        let (found, fields) = compare::answers((place, step), &sequence.ignore, sandbox, server);
        differences.extend(found);
        counts.requests += 1;
        counts.fields += fields;
    }
    Ok((differences, counts))
}

/// Carries a sequence out on one side.
async fn transcript(
    namespace: &str,
    sequence: &Sequence,
    mut server: Server,
) -> Result<Transcript> {
    create_namespace(&mut server, namespace).await?;
    let mut names = Names::default();
    let mut transcript = Vec::new();
    let mut answers = Vec::new();
    let mut touched: Vec<(String, String)> = Vec::new();
    for (index, step) in sequence.requests.iter().enumerate() {
        let label = (index + 1).to_string();
        let known = Known {
            namespace,
            answers: &answers,
        };
        let what = || format!("step {label}: {}", step.action);
        let request = expand::expand(step, &known).with_context(what)?;
        let answer = carry_out(&mut server, step, &request)
            .await
            .with_context(what)?;
        touch(&mut touched, &request, &answer.body);
        answers.push(answer.body.clone());
        let is_dry_run = request.query.contains("dryRun=All");
        transcript.push((label, normal(&mut names, answer, is_dry_run)));
    }
    for (path, label) in touched {
        let answer = server
            .send(&expand::get(&path))
            .await
            .with_context(|| path.clone())?;
        transcript.push((format!("end{label}"), normal(&mut names, answer, false)));
    }
    Ok(transcript)
}

fn normal(names: &mut Names, answer: Answer, is_dry_run: bool) -> Answer {
    Answer {
        code: answer.code,
        body: names.normal(answer.body, is_dry_run),
    }
}

/// Sends a request, again and again where a condition is waited for.
async fn carry_out(server: &mut Server, step: &Step, request: &Concrete) -> Result<Answer> {
    let mut answer = server.send(request).await?;
    let Some(until) = &step.until else {
        return Ok(answer);
    };
    for _ in 0..LOOKS {
        let holds = until.iter().all(|(path, expected)| match path.as_str() {
            "code" => expected.as_u64() == Some(answer.code.into()),
            path => answer.body.pointer(path).unwrap_or(&Value::Null) == expected,
        });
        if holds {
            return Ok(answer);
        }
        server.pause().await;
        answer = server.send(request).await?;
    }
    // The comparison shows on which side it did not come to be.
    answer.body = format!("never so: {}", answer.body).into();
    Ok(answer)
}

/// Notes the object that a request was to change, to be read in the end.
fn touch(touched: &mut Vec<(String, String)>, request: &Concrete, answer: &Value) {
    let parts: Vec<&str> = request.path.split('/').skip(1).collect();
    // `api/v1/[namespaces/ns/]plural/name`, or `apis/group/version/…`.
    let root = match parts.first() {
        Some(&"api") => 2,
        Some(&"apis") => 3,
        _ => return,
    };
    let is_namespaced = parts.get(root) == Some(&"namespaces") && parts.len() > root + 2;
    let plural = if is_namespaced && !is_namespace_subresource(&parts, root) {
        root + 2
    } else {
        root
    };
    if request.method == http::Method::GET || parts.len() <= plural {
        return;
    }
    let name = match parts.get(plural + 1) {
        Some(name) => (*name).to_owned(),
        None if request.method == http::Method::POST => {
            // What was refused may be there on the other side.
            let asked: Value = serde_json::from_str(&request.body).unwrap_or_default();
            let names = [answer, &asked].map(|object| &object["metadata"]["name"]);
            match names.into_iter().find_map(Value::as_str) {
                Some(name) if !name.is_empty() && !name.contains(['/', '%']) => name.to_owned(),
                _ => return,
            }
        }
        None => return,
    };
    let is_stored = !parts[plural].ends_with("reviews");
    let path = format!("/{}/{name}", parts[..=plural].join("/"));
    if is_stored && !touched.iter().any(|(known, _)| *known == path) {
        let generated = answer.pointer("/metadata/generateName").is_some();
        let label = if generated {
            format!("/{}/{}", parts[plural], touched.len())
        } else {
            format!("/{}/{name}", parts[plural])
        };
        touched.push((path, label));
    }
}

/// `namespaces/NAME/finalize` and `status` are the namespace's own.
fn is_namespace_subresource(parts: &[&str], root: usize) -> bool {
    parts.len() == root + 3 && matches!(parts[root + 2], "finalize" | "status")
}

async fn create_namespace(server: &mut Server, namespace: &str) -> Result<()> {
    let body = serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
    });
    let mut request = expand::get("/api/v1/namespaces");
    request.method = http::Method::POST;
    "application/json".clone_into(&mut request.content_type);
    request.body = body.to_string();
    let answer = server.send(&request).await?;
    ensure!(
        answer.code == 201,
        "namespace: {} {}",
        answer.code,
        answer.body
    );
    for ambient in AMBIENT {
        let request = expand::get(&format!("/api/v1/namespaces/{namespace}/{ambient}"));
        let mut looks = 0;
        while server.send(&request).await?.code != 200 {
            looks += 1;
            ensure!(looks < LOOKS, "{ambient} never came to be");
            server.pause().await;
        }
    }
    Ok(())
}

//! The sequences as they are written down.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// A file of sequences about one subject.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    /// The file's name without its ending.
    #[serde(skip)]
    pub(crate) name: String,
    /// What it is about.
    #[expect(dead_code, reason = "for the reader")]
    about: String,
    /// Paths of fields that are not compared in any sequence of the topic.
    #[serde(default)]
    ignore: Vec<String>,
    /// By name.
    pub(crate) sequences: BTreeMap<String, Sequence>,
}

/// Requests that build on each other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sequence {
    /// Paths of fields that are not compared: what controllers write at a time of their own.
    #[serde(default)]
    pub(crate) ignore: Vec<String>,
    /// In order.
    pub(crate) requests: Vec<Step>,
}

/// One request, before names are filled in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// `VERB target?query`; see `expand`.
    #[serde(rename = "do")]
    pub(crate) action: String,
    /// The field manager, as a parameter.
    #[serde(rename = "as")]
    pub(crate) manager: Option<String>,
    /// Who asks, instead of the administrator.
    pub(crate) user: Option<String>,
    /// A JSON body; `apiVersion`, `kind` and the name are added where they are missing.
    pub(crate) body: Option<Value>,
    /// A body that is sent as it is.
    pub(crate) text: Option<String>,
    /// Nothing is added to the body.
    #[serde(default)]
    pub(crate) bare: bool,
    /// `Content-Type`, if not the verb's own.
    pub(crate) content: Option<String>,
    /// `Accept`, if not JSON.
    pub(crate) accept: Option<String>,
    /// `User-Agent`, if not the runner's.
    pub(crate) agent: Option<String>,
    /// The request is repeated until the answer is so: JSON pointer to value; `code` to the
    /// status; null is what is absent.
    pub(crate) until: Option<BTreeMap<String, Value>>,
}

/// All topics, by name.
pub(crate) fn all() -> Result<Vec<Topic>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/sequences");
    let entries = fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    let mut topics = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let what = || format!("read {}", path.display());
        let text = fs::read_to_string(&path).with_context(what)?;
        let mut topic: Topic = serde_json::from_str(&text).with_context(what)?;
        topic.name = path
            .file_stem()
            .context("a name")?
            .to_string_lossy()
            .into_owned();
        ensure!(
            !topic.sequences.is_empty(),
            "{}: no sequence",
            path.display()
        );
        for sequence in topic.sequences.values_mut() {
            sequence.ignore.extend(topic.ignore.iter().cloned());
        }
        topics.push(topic);
    }
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(topics)
}

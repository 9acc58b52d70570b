//! Configurations of Caddy: JSON as it is, a Caddyfile as Caddy adapts it.

use std::{fs, io::ErrorKind, process::Stdio, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde_json::Value;
use tokio::process::Command;
use underpin_model::Place;
use underpin_plan::Configuration;
use underpin_route::stranger_answers;
use underpin_source::{Diagnostic, yaml};

use crate::error::CommandError;

/// Which Caddy is asked.
#[derive(Debug, Args)]
pub(super) struct CaddyArgs {
    /// The program Caddy, 2.6.2 or later, on which entries are tried and which adapts Caddyfiles
    /// [default: caddy, if there is one].
    #[arg(long = "caddy", value_name = "FILE", env = "UNDERPIN_CADDY")]
    program: Option<Utf8PathBuf>,
    /// The folder of the pages for errors, the only one that entries may serve.
    #[arg(long, value_name = "DIR", default_value = "/etc/caddy/pages")]
    pub(super) pages: String,
}

/// What Caddy is called.
const CADDY: &str = "caddy";

impl CaddyArgs {
    /// The program.
    pub(super) fn program(&self) -> &Utf8Path {
        self.program.as_deref().unwrap_or(Utf8Path::new(CADDY))
    }

    /// Whether nobody has named it.
    pub(super) fn is_implied(&self) -> bool {
        self.program.is_none()
    }
}

/// How long Caddy may take for one file; it takes milliseconds.
const ADAPT_LIMIT: Duration = Duration::from_secs(20);

/// Reads a file: as JSON if it is called so or is it, else as a Caddyfile.
pub(super) async fn read(
    path: &Utf8Path,
    caddy: &CaddyArgs,
) -> Result<Configuration, CommandError> {
    let text = text(path)?;
    let is_json = path.extension() == Some("json") || serde_json::from_str::<Value>(&text).is_ok();
    let configuration = if is_json {
        json(path, &text)?
    } else {
        Configuration {
            file: path.as_str().into(),
            value: adapted(path, caddy).await?,
            spans: Arc::default(),
        }
    };
    match stranger_answers(&configuration.value) {
        Ok(_) => Ok(configuration),
        Err(error) => Err(CommandError::usage(
            format!("{path} answers nobody: {error}"),
            "name a configuration as `caddy adapt` prints it, or a Caddyfile with a site",
        )),
    }
}

fn text(path: &Utf8Path) -> Result<String, CommandError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(CommandError::usage(
            format!("there is no file {path}"),
            "name a Caddyfile, or a configuration of Caddy as JSON",
        )),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(CommandError::usage(
            format!("{path} is not UTF-8 text"),
            "convert it to UTF-8",
        )),
        Err(source) => Err(CommandError::Io {
            what: format!("cannot read {path}"),
            source,
        }),
    }
}

/// With the places of its fields.
fn json(path: &Utf8Path, text: &str) -> Result<Configuration, CommandError> {
    let wrong = |diagnostics| CommandError::Declared {
        summary: format!("{path} is no configuration of Caddy"),
        diagnostics,
    };
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let place = Place {
            file: path.as_str().into(),
            line: u32::try_from(error.line()).unwrap_or(u32::MAX),
            column: u32::try_from(error.column()).unwrap_or(u32::MAX),
        };
        wrong(vec![Diagnostic::new(place, "this is not JSON")])
    })?;
    let (documents, _) = yaml::parse(path.as_str(), text);
    let spans = documents.into_iter().next().map(|one| one.spans);
    Ok(Configuration {
        file: path.as_str().into(),
        value,
        spans: Arc::new(spans.unwrap_or_default()),
    })
}

/// What Caddy makes of a Caddyfile, without our environment. What it says when it refuses one may
/// quote the file, and is not told.
async fn adapted(path: &Utf8Path, caddy: &CaddyArgs) -> Result<Value, CommandError> {
    let program = caddy.program();
    let mut command = Command::new(program);
    command
        .args(["adapt", "--adapter", "caddyfile", "--config", path.as_str()])
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(search) = std::env::var_os("PATH") {
        command.env("PATH", search);
    }
    let output = match tokio::time::timeout(ADAPT_LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            return Err(CommandError::usage(
                format!("{path} is a Caddyfile, and there is no program {program} to adapt it"),
                "install Caddy 2.6.2 or later, name it with --caddy or UNDERPIN_CADDY, or give the \
                 JSON that `caddy adapt` prints",
            ));
        }
        Ok(Err(source)) => {
            return Err(CommandError::Io {
                what: format!("cannot run {program}"),
                source,
            });
        }
        Err(_) => {
            return Err(CommandError::usage(
                format!("{program} took longer than 20 seconds for {path}"),
                "see what `caddy adapt` does with it",
            ));
        }
    };
    let refused = || {
        CommandError::usage(
            format!("Caddy does not take {path}"),
            format!("`{program} adapt --config {path}` shows why"),
        )
    };
    if !output.status.success() {
        return Err(refused());
    }
    serde_json::from_slice(&output.stdout).map_err(|_| refused())
}

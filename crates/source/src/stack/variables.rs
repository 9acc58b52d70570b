//! The variables of one environment: those it has by itself, `vars` and `secrets`.

use std::{fs, io::Read as _};

use camino::Utf8Path;
use underpin_model::FieldPath;

use super::{SecretSource, Stack};
use crate::{
    Diagnostic,
    substitute::{Variable, Variables},
};

/// Largest secret file.
const MAX_SECRET_BYTES: u64 = 1 << 20;

impl Stack {
    /// The variables of an environment of this stack, placed in `namespace`. Values of secrets are
    /// read from files, and from environment variables through `lookup`; a missing one is reported
    /// at its place, its value never. An environment that the file does not name has no `vars`.
    pub fn variables(
        &self,
        environment: &str,
        namespace: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> (Variables, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut variables = self.plain_variables(environment, namespace);
        let declared = self.file.spec.environments.get(environment);
        let secrets = declared.into_iter().flat_map(|declared| &declared.secrets);
        for (name, source) in secrets {
            match secret(source, &self.folder, lookup) {
                Ok(value) => variables.insert(name, Variable::secret(value)),
                Err((reason, help)) => {
                    let path = FieldPath::new("spec.environments").key(environment);
                    let place = self.place_of(&path.key("secrets").key(name));
                    let message = format!("secret `{name}` has no value: {reason}");
                    diagnostics.push(Diagnostic::new(place, message).with_help(help));
                }
            }
        }
        (variables, diagnostics)
    }

    /// The same where no value of a secret matters: none is read, and a word stands in for each.
    pub fn variables_without_secrets(&self, environment: &str, namespace: &str) -> Variables {
        let mut variables = self.plain_variables(environment, namespace);
        let declared = self.file.spec.environments.get(environment);
        for name in declared
            .into_iter()
            .flat_map(|declared| declared.secrets.keys())
        {
            variables.insert(name, Variable::secret("secret"));
        }
        variables
    }

    fn plain_variables(&self, environment: &str, namespace: &str) -> Variables {
        let mut variables = Variables::default();
        variables.insert("environment", Variable::name(environment));
        variables.insert("namespace", Variable::name(namespace));
        variables.insert("stack", Variable::name(&self.file.metadata.name));
        let Some(declared) = self.file.spec.environments.get(environment) else {
            return variables;
        };
        if let Some(parent) = &declared.parent {
            variables.insert("parent", Variable::name(parent));
        }
        for (name, value) in &declared.vars {
            variables.insert(name, Variable::text(value));
        }
        variables
    }
}

fn secret(
    source: &SecretSource,
    folder: &Utf8Path,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (String, String)> {
    if let Some(variable) = &source.env {
        return lookup(variable).ok_or_else(|| {
            let reason = format!("environment variable `{variable}` is not set");
            (reason, format!("set `{variable}` before the run"))
        });
    }
    let file = source.file.as_deref().unwrap_or_default();
    read_secret(&folder.join(file)).map_err(|reason| {
        let help = "paths of secret files are relative to the stack file";
        (reason, help.to_owned())
    })
}

fn read_secret(path: &Utf8Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read `{path}`: {error}"))?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("`{path}` is larger than {MAX_SECRET_BYTES} bytes"));
    }
    // The error of the conversion holds the bytes: leave it out.
    let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8 text"))?;
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())
}

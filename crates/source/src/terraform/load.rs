//! Files to modules: what each folder declares, before anything is evaluated.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use hcl_edit::{
    Span as _,
    expr::Expression,
    structure::{Block, Body, Structure},
};
use underpin_model::Place;

use super::{
    confines::Confines,
    instance::is_local,
    json, paths,
    text::{FileId, Text, Texts},
};
use crate::{
    Diagnostic,
    manifests::{Walk, read_text, walk},
};

/// What one folder declares.
#[derive(Default)]
pub(super) struct Module {
    pub(super) folder: Utf8PathBuf,
    pub(super) variables: BTreeMap<String, Part>,
    pub(super) locals: BTreeMap<String, Local>,
    pub(super) outputs: BTreeMap<String, Part>,
    /// By type and name.
    pub(super) resources: BTreeMap<(String, String), Part>,
    pub(super) data: BTreeMap<(String, String), Part>,
    pub(super) calls: BTreeMap<String, Part>,
    /// Whether a file could not be read, so that it may declare more than this.
    pub(super) unread: bool,
    /// Whether it says by itself that Terraform is run in it.
    runs_here: bool,
}

/// A block.
pub(super) struct Part {
    pub(super) file: FileId,
    pub(super) offset: usize,
    pub(super) body: Body,
    /// Where an override file changes it, which is not followed.
    pub(super) overridden: Option<Place>,
}

/// A local value.
pub(super) struct Local {
    pub(super) file: FileId,
    pub(super) offset: usize,
    pub(super) expression: Expression,
}

impl Part {
    /// The text of an attribute that is nothing but a text.
    pub(super) fn literal(&self, name: &str) -> Option<&str> {
        self.body.get_attribute(name)?.value.as_str()
    }
}

/// A file of values for variables.
pub(super) struct VariableFile {
    pub(super) path: Utf8PathBuf,
    pub(super) file: FileId,
    pub(super) body: Body,
}

/// Everything that was read.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) texts: Texts,
    pub(super) modules: BTreeMap<Utf8PathBuf, Module>,
    /// Files of values by the folder they lie in.
    pub(super) variable_files: BTreeMap<Utf8PathBuf, Vec<VariableFile>>,
    /// By folder, where `terraform init` put modules.
    pub(super) installed: BTreeMap<Utf8PathBuf, BTreeMap<String, Utf8PathBuf>>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Files and folders that may declare objects and could not be read.
    pub(super) unread: Vec<Place>,
}

/// A block at the top of a file, whichever syntax it is written in.
pub(super) struct TopBlock {
    pub(super) kind: String,
    pub(super) labels: Vec<String>,
    pub(super) body: Body,
    pub(super) offset: usize,
}

/// Reads a file, or a folder with all below it.
pub(super) fn load(path: &Utf8Path, confines: &Confines) -> Loaded {
    let mut loaded = Loaded::default();
    let walked = match walk(path, is_terraform) {
        Ok(walked) => walked,
        Err(error) => {
            loaded.unreadable(path, format!("cannot read `{path}`: {error}"), None);
            return loaded;
        }
    };
    let Walk {
        files, unreadable, ..
    } = walked;
    for problem in unreadable {
        loaded.unreadable(&problem.path, problem.message, problem.help);
    }
    for file in &files {
        loaded.file(file);
    }
    loaded.installed_modules(confines);
    loaded
}

/// Whether Terraform reads a file of this name.
pub(crate) fn is_terraform(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let endings = [".tf", ".tf.json", ".tfvars", ".tfvars.json"];
    endings.iter().any(|ending| name.ends_with(ending))
}

impl Loaded {
    fn unreadable(&mut self, path: &Utf8Path, message: String, help: Option<&str>) {
        let place = Place {
            file: path.as_str().into(),
            line: 1,
            column: 1,
        };
        let mut diagnostic = Diagnostic::new(place.clone(), message);
        diagnostic.help = help.map(str::to_owned);
        self.diagnostics.push(diagnostic);
        self.unread.push(place);
    }

    /// Reads a file of values that the caller names.
    pub(super) fn variable_file(&mut self, path: &Utf8Path) -> Option<VariableFile> {
        let path = paths::tidy(path);
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(message) => {
                self.unreadable(&path, message, None);
                return None;
            }
        };
        self.values(&path, text)
    }

    fn values(&mut self, path: &Utf8Path, text: String) -> Option<VariableFile> {
        let file = self.texts.add(Text::new(path.as_str(), text));
        let text = self.texts.get(file)?;
        let parsed = if path.extension() == Some("json") {
            json::values(path.as_str(), text)
        } else {
            parse(text)
        };
        match parsed {
            Ok(body) => Some(VariableFile {
                path: path.to_owned(),
                file,
                body,
            }),
            Err(diagnostics) => {
                self.unread.extend(
                    diagnostics
                        .iter()
                        .map(|diagnostic| diagnostic.place.clone()),
                );
                self.diagnostics.extend(diagnostics);
                None
            }
        }
    }

    fn file(&mut self, path: &Utf8Path) {
        let path = paths::tidy(path);
        let folder = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
        let name = path.file_name().unwrap_or_default();
        let is_values = name.ends_with(".tfvars") || name.ends_with(".tfvars.json");
        if is_values && !is_automatic(name) {
            // Whether it is meant, and with which others, only the command line of Terraform says.
            return;
        }
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(message) => {
                self.unreadable(&path, message, None);
                self.module(&folder).unread = true;
                return;
            }
        };
        if is_values {
            if let Some(values) = self.values(&path, text) {
                self.variable_files.entry(folder).or_default().push(values);
            }
            return;
        }
        self.text(&path, text);
    }

    /// Adds what a file of this text declares.
    pub(super) fn text(&mut self, path: &Utf8Path, text: String) {
        let folder = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
        let name = path.file_name().unwrap_or_default();
        let is_json = path.extension() == Some("json");
        let stem = name.trim_end_matches(".json").trim_end_matches(".tf");
        let overrides = stem == "override" || stem.ends_with("_override");
        let file = self.texts.add(Text::new(path.as_str(), text));
        let Some(text) = self.texts.get(file) else {
            return;
        };
        let (blocks, diagnostics) = if is_json {
            json::blocks(path.as_str(), text)
        } else {
            blocks(text)
        };
        let module = self.modules.entry(folder.clone()).or_default();
        module.folder = folder;
        if !diagnostics.is_empty() {
            module.unread = true;
            self.unread.extend(
                diagnostics
                    .iter()
                    .map(|diagnostic| diagnostic.place.clone()),
            );
            self.diagnostics.extend(diagnostics);
        }
        for block in blocks {
            let place = text.place(block.offset);
            let added = if overrides {
                module.overridden(&block, &place);
                Ok(())
            } else {
                module.add(file, block)
            };
            if let Err(message) = added {
                let help = "remove or rename one of the two";
                self.diagnostics
                    .push(Diagnostic::new(place, message).with_help(help));
            }
        }
    }

    fn module(&mut self, folder: &Utf8Path) -> &mut Module {
        let module = self.modules.entry(folder.to_owned()).or_default();
        folder.clone_into(&mut module.folder);
        module
    }

    /// Follows the lists that `terraform init` leaves, and reads the modules that it put below.
    fn installed_modules(&mut self, confines: &Confines) {
        let folders: Vec<_> = self.modules.keys().cloned().collect();
        for folder in folders {
            let list = folder.join(".terraform/modules/modules.json");
            let Ok(bytes) = confines.read(&list) else {
                continue;
            };
            let found = json::installed(&bytes);
            if found.is_empty() {
                continue;
            }
            let mut installed = BTreeMap::new();
            for (key, path) in found {
                let below = paths::join(&folder, Utf8Path::new(&path));
                if confines.holds(&below) {
                    self.module_below(&below);
                    installed.insert(key, below);
                }
            }
            self.module(&folder).runs_here = true;
            self.installed.insert(folder, installed);
        }
    }

    /// Reads the folder of an installed module, which is hidden from the walk.
    fn module_below(&mut self, folder: &Utf8Path) {
        if self.modules.contains_key(folder) {
            return;
        }
        let Ok(walked) = walk(folder, is_terraform) else {
            return;
        };
        for file in &walked.files {
            self.file(file);
        }
    }

    /// The folders that Terraform is run in: those that no other calls as a module, and those that
    /// say so by themselves.
    pub(super) fn roots(&self) -> Vec<Utf8PathBuf> {
        let mut called = BTreeMap::new();
        for (folder, module) in &self.modules {
            let sources = module
                .calls
                .values()
                .filter_map(|part| part.literal("source"));
            let targets: BTreeSet<_> = sources
                .filter(|source| is_local(source))
                .map(|source| paths::join(folder, Utf8Path::new(source)))
                .filter(|target| target != folder)
                .collect();
            called.insert(folder.clone(), targets);
        }
        let all: BTreeSet<_> = called.values().flatten().cloned().collect();
        let mut roots: BTreeSet<Utf8PathBuf> = self
            .modules
            .iter()
            .filter(|(folder, module)| {
                let installed = folder.as_str().contains(".terraform/modules");
                let chosen = self.variable_files.contains_key(*folder) || module.runs_here;
                !installed && (chosen || !all.contains(*folder))
            })
            .map(|(folder, _)| folder.clone())
            .collect();
        // Folders that call each other in a circle: one of them has to be first.
        loop {
            let mut reached = roots.clone();
            let mut open: Vec<_> = roots.iter().cloned().collect();
            while let Some(folder) = open.pop() {
                for target in called.get(&folder).into_iter().flatten() {
                    if reached.insert(target.clone()) {
                        open.push(target.clone());
                    }
                }
            }
            let missed = self.modules.keys().find(|folder| {
                !reached.contains(*folder) && !folder.as_str().contains(".terraform/modules")
            });
            match missed {
                Some(folder) => roots.insert(folder.clone()),
                None => break,
            };
        }
        roots.into_iter().collect()
    }
}

fn is_automatic(name: &str) -> bool {
    let automatic = [".auto.tfvars", ".auto.tfvars.json"];
    matches!(name, "terraform.tfvars" | "terraform.tfvars.json")
        || automatic.iter().any(|ending| name.ends_with(ending))
}

impl Module {
    fn add(&mut self, file: FileId, block: TopBlock) -> Result<(), String> {
        let TopBlock {
            kind,
            labels,
            body,
            offset,
        } = block;
        if kind == "locals" {
            return self.add_locals(file, offset, body);
        }
        if kind == "terraform" {
            self.runs_here |= body.has_blocks("backend") || body.has_blocks("cloud");
            return Ok(());
        }
        let part = Part {
            file,
            offset,
            body,
            overridden: None,
        };
        let mut labels = labels.into_iter();
        let (first, second) = (labels.next(), labels.next());
        let known = |what: &str, before: Option<Part>| match before {
            None => Ok(()),
            Some(_) => Err(format!("{what} is declared twice in the module")),
        };
        match (kind.as_str(), first, second) {
            ("resource", Some(kind), Some(name)) => {
                let what = format!("`{kind}.{name}`");
                known(&what, self.resources.insert((kind, name), part))
            }
            ("data", Some(kind), Some(name)) => {
                let what = format!("`data.{kind}.{name}`");
                known(&what, self.data.insert((kind, name), part))
            }
            ("variable", Some(name), _) => {
                let what = format!("variable `{name}`");
                known(&what, self.variables.insert(name, part))
            }
            ("output", Some(name), _) => {
                let what = format!("output `{name}`");
                known(&what, self.outputs.insert(name, part))
            }
            ("module", Some(name), _) => {
                let what = format!("`module.{name}`");
                known(&what, self.calls.insert(name, part))
            }
            _ => Ok(()),
        }
    }

    fn add_locals(&mut self, file: FileId, offset: usize, body: Body) -> Result<(), String> {
        let mut result = Ok(());
        for structure in body {
            let Structure::Attribute(attribute) = structure else {
                continue;
            };
            let name = attribute.key.value().to_string();
            let offset = attribute.key.span().map_or(offset, |span| span.start);
            let local = Local {
                file,
                offset,
                expression: attribute.value,
            };
            if self.locals.insert(name.clone(), local).is_some() {
                result = Err(format!("`local.{name}` is declared twice in the module"));
            }
        }
        result
    }

    /// Marks what an override file changes.
    fn overridden(&mut self, block: &TopBlock, place: &Place) {
        let mut labels = block.labels.iter().cloned();
        let (first, second) = (labels.next(), labels.next());
        let part = match (block.kind.as_str(), first, second) {
            ("resource", Some(kind), Some(name)) => self.resources.get_mut(&(kind, name)),
            ("variable", Some(name), _) => self.variables.get_mut(&name),
            ("module", Some(name), _) => self.calls.get_mut(&name),
            ("locals", ..) => {
                self.unread = true;
                for attribute in block.body.attributes() {
                    self.locals.remove(attribute.key.value().as_str());
                }
                None
            }
            _ => None,
        };
        if let Some(part) = part {
            part.overridden = Some(place.clone());
        }
    }
}

fn parse(text: &Text) -> Result<Body, Vec<Diagnostic>> {
    hcl_edit::parser::parse_body(&text.content).map_err(|error| vec![syntax_error(text, &error)])
}

/// The blocks of a file; those of a broken one as far as they can be told apart.
fn blocks(text: &Text) -> (Vec<TopBlock>, Vec<Diagnostic>) {
    match parse(text) {
        Ok(body) => (top_blocks(body), Vec::new()),
        Err(diagnostics) => (salvaged(&text.content).unwrap_or_default(), diagnostics),
    }
}

/// The blocks of a broken file that can be read by themselves: each begins in the first column, and
/// ends with a brace there. What cannot be read is blanked, so that places stay what they are.
fn salvaged(text: &str) -> Option<Vec<TopBlock>> {
    let mut kept = String::with_capacity(text.len());
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            blank(text.get(start..at)?, &mut kept);
            start = at;
        }
        let closes = line.starts_with('}') || (start == at && line.trim_end().ends_with('}'));
        if closes {
            let chunk = text.get(start..end)?;
            if hcl_edit::parser::parse_body(chunk).is_ok() {
                kept.push_str(chunk);
            } else {
                blank(chunk, &mut kept);
            }
            start = end;
        }
        at = end;
    }
    blank(text.get(start..)?, &mut kept);
    let body = hcl_edit::parser::parse_body(&kept).ok()?;
    Some(top_blocks(body))
}

fn blank(text: &str, kept: &mut String) {
    for byte in text.bytes() {
        kept.push(if byte == b'\n' { '\n' } else { ' ' });
    }
}

fn top_blocks(body: Body) -> Vec<TopBlock> {
    let blocks = body.into_blocks().map(|block: Block| TopBlock {
        kind: block.ident.value().to_string(),
        labels: block
            .labels
            .iter()
            .map(|label| label.as_str().to_owned())
            .collect(),
        offset: block.span().map_or(0, |span| span.start),
        body: block.body,
    });
    blocks.collect()
}

fn syntax_error(text: &Text, error: &hcl_edit::parser::Error) -> Diagnostic {
    let location = error.location();
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let place = Place {
        file: std::sync::Arc::clone(&text.name),
        line: small(location.line()),
        column: small(location.column()),
    };
    let message = format!("HCL syntax error: {}", error.message());
    // What stands in quotes may be a password.
    let line = error.line();
    let shown = line.split(['"', '<']).next().unwrap_or_default().trim();
    let before = if shown.is_empty() {
        "the line".to_owned()
    } else {
        format!("the line that begins with `{shown}`")
    };
    let hint = if line.contains("{{") {
        "it looks like a template of another tool: render it first"
    } else if let Some(line) = unclosed_quote(text, location.line()) {
        return Diagnostic::new(place, message).with_help(format!(
            "look at line {line}: its quotes are not all closed"
        ));
    } else if line.trim_start().starts_with('}') {
        "a brace too many, or one missing above"
    } else {
        "`terraform validate` says more; the other blocks are read all the same"
    };
    Diagnostic::new(place, message).with_help(format!("look at {before}: {hint}"))
}

/// How far above an error an open quote is looked for.
const LINES_ABOVE: usize = 40;

/// The last line up to this one with an odd number of quotes: a text goes on behind the end of its
/// line, so that the error shows at the next quote only.
fn unclosed_quote(text: &Text, line: usize) -> Option<usize> {
    let before: Vec<&str> = text.content.lines().take(line).collect();
    let quotes = |line: &str| line.replace("\\\"", "").matches('"').count();
    let numbered = before.iter().enumerate().rev().take(LINES_ABOVE);
    let mut found = numbered.filter(|(_, line)| quotes(line) % 2 == 1);
    found.next().map(|(index, _)| index + 1)
}

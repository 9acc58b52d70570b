//! What is told of what was examined: findings once comments have had their say, in every form.

use camino::Utf8PathBuf;
use clap::ValueEnum;
use underpin_model::{Finding, Place, Severity, World};
use underpin_plan::{
    rules::{Rule, rule, up403},
    suppression::{Remark, Sorted, Suppressed, Suppression, sort_out, suppressions},
};
use underpin_source::Diagnostic;

use crate::{
    Exit,
    checking::Examined,
    cli::CheckingArgs,
    commands::write,
    error::CommandError,
    output::Format,
    render::check::{self as render, Checked},
    setup::STACK_FILE,
    trees::stack_files,
};

/// The forms of what `check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people, with the lines that are to blame.
    Text,
    /// One JSON document with a versioned schema.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Workflow commands.
    Github,
}

impl CheckFormat {
    /// How an error that ends the command is told.
    pub(crate) fn of_errors(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Text | Self::Sarif | Self::Github => Format::Text,
        }
    }
}

/// How what was found is told.
pub(crate) struct Telling<'a> {
    /// The command, as its documents name it.
    pub(crate) command: &'static str,
    /// What was examined.
    pub(crate) paths: &'a [Utf8PathBuf],
    pub(crate) args: &'a CheckingArgs,
    /// What else was looked at, in words.
    pub(crate) besides: Vec<String>,
    /// What else is good to know.
    pub(crate) notes: Vec<String>,
    /// Which rules were asked.
    pub(crate) asked: &'a dyn Fn(&Rule) -> bool,
}

/// Each path was meant to be read.
pub(crate) fn all_there(paths: &[Utf8PathBuf]) -> Result<(), CommandError> {
    match paths.iter().find(|path| !path.exists()) {
        Some(path) => Err(CommandError::usage(
            format!("there is no file or folder {path}"),
            format!("name files, or folders of manifests, Terraform files or {STACK_FILE}"),
        )),
        None => Ok(()),
    }
}

impl Telling<'_> {
    /// Tells everything, and how the command ends.
    pub(crate) fn tell(&self, examined: Examined) -> Result<Exit, CommandError> {
        nothing_there(self.paths, &examined)?;
        let checked = self.checked(examined)?;
        write(&match self.args.output {
            CheckFormat::Text => render::text(&checked),
            CheckFormat::Json => render::json(&checked),
            CheckFormat::Sarif => render::sarif(&checked),
            CheckFormat::Github => render::github(&checked),
        })?;
        Ok(checked.exit)
    }

    /// What is told of what was found, once comments have had their say.
    fn checked(&self, mut examined: Examined) -> Result<Checked, CommandError> {
        let remarks = examined.comments().map(|comment| Remark {
            place: &comment.place,
            text: &comment.text,
        });
        let (allowed, malformed) = suppressions(remarks);
        let malformed = malformed
            .into_iter()
            .map(|one| Diagnostic::new(one.place, one.message).with_help(one.help));
        examined.diagnostics.extend(malformed);
        let findings = std::mem::take(&mut examined.findings);
        let texts = Examined::texts(places(&examined.diagnostics, &findings, &allowed));
        let is_complete = examined.diagnostics.is_empty();
        // Where files are broken, or a rule was not asked, nobody knows that a comment is of no use.
        let ran = |code| is_complete && rule(code).is_some_and(self.asked);
        let objects = examined.worlds.iter().flat_map(World::objects);
        let Sorted {
            mut findings,
            mut suppressed,
        } = sort_out(findings, &allowed, &texts, objects, ran);
        if let Some(change) = &examined.change {
            findings.retain(|finding| change.made(finding));
            suppressed.retain(|one: &Suppressed| change.made(&one.finding));
        }
        let mut findings = up403::brought_together(findings);
        underpin_plan::sort_findings(&mut findings);
        for finding in &mut findings {
            examined.mask(finding);
        }
        for one in &mut suppressed {
            examined.mask(&mut one.finding);
        }
        examined
            .diagnostics
            .sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        examined.diagnostics.dedup();
        Ok(Checked {
            command: self.command,
            besides: self.besides.clone(),
            notes: self.notes.clone(),
            exit: self.exit(&examined.diagnostics, &findings),
            stack_files: stack_files(self.paths)?.len(),
            objects: examined.objects(),
            loose: examined.tree.files.objects.len(),
            excerpts: examined.excerpts(texts),
            since: examined.change.as_ref().map(|change| change.commit.clone()),
            opaque: examined.not_known(),
            diagnostics: examined.diagnostics,
            findings,
            suppressed,
            show_suppressed: self.args.show_suppressed,
        })
    }

    fn exit(&self, diagnostics: &[Diagnostic], findings: &[Finding]) -> Exit {
        if !diagnostics.is_empty() {
            Exit::Error
        } else if findings.iter().any(Finding::blocks) {
            Exit::Blocked
        } else if self.args.strict && findings.iter().any(|one| one.severity == Severity::Warn) {
            Exit::Warnings
        } else {
            Exit::Done
        }
    }
}

/// Each path was meant to be read; one that holds nothing is most often a typo.
fn nothing_there(paths: &[Utf8PathBuf], examined: &Examined) -> Result<(), CommandError> {
    for path in paths {
        if !examined.holds_any(path) {
            let inside = if path.is_dir() { " or below it" } else { "" };
            return Err(CommandError::usage(
                format!(
                    "there is no {STACK_FILE}, no Kubernetes object and no Terraform file in {path}{inside}"
                ),
                "name a file or folder that holds some",
            ));
        }
    }
    Ok(())
}

/// Every place of which the line is looked at.
fn places<'p>(
    diagnostics: &'p [Diagnostic],
    findings: &'p [Finding],
    allowed: &'p [Suppression],
) -> impl Iterator<Item = &'p Place> {
    let evidence = findings.iter().flat_map(|finding| &finding.evidence);
    let of_findings = findings.iter().filter_map(|finding| finding.place.as_ref());
    let problems = diagnostics.iter().map(|one| &one.place);
    let evidence = evidence.filter_map(|one| one.place.as_ref());
    let comments = allowed.iter().map(|one| &one.place);
    problems.chain(of_findings).chain(evidence).chain(comments)
}

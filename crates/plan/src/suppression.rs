//! Suppressions: `# underpin: allow UP402 -- reason` in declared files.
//!
//! A comment counts for the line it stands on, or for the next line below that is neither empty nor
//! a comment. Where an object begins on that line, it counts for all of the object.

use std::{collections::BTreeMap, sync::Arc};

use underpin_model::{Code, Evidence, FieldPath, Finding, Object, ObjectKey, Place, Severity};

use crate::rules::{rule, up604};

/// What a comment must begin with to be meant for us.
const MARK: &str = "underpin:";
/// What stands between what is allowed and why.
const REASON_MARK: &str = "--";
/// How a suppression is written.
const HOW: &str = "write `# underpin: allow UP402 -- why`, or `allow UP402:SUBJECT UP403 -- why`";

/// A comment, without its sign.
#[derive(Clone, Copy, Debug)]
pub struct Remark<'t> {
    /// Where its sign stands.
    pub place: &'t Place,
    /// What follows the sign.
    pub text: &'t str,
}

/// One thing that a comment allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The comment.
    pub place: Place,
    /// The rule.
    pub code: Code,
    /// The subject of the finding; any, if absent.
    pub subject: Option<String>,
    /// Why.
    pub reason: String,
}

/// A comment that is meant for us and cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The comment.
    pub place: Place,
    /// What is wrong with it.
    pub message: String,
    /// How it is written.
    pub help: String,
}

/// A finding that a comment suppresses.
#[derive(Clone, Debug)]
pub struct Suppressed {
    /// The finding.
    pub finding: Finding,
    /// What suppresses it.
    pub by: Suppression,
}

/// Findings, told apart by whether a comment suppresses them.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// What nobody suppresses, and what [`up604`] says of comments that suppress nothing.
    pub findings: Vec<Finding>,
    /// What is suppressed, in the order of findings.
    pub suppressed: Vec<Suppressed>,
}

/// The lines of files by name, as far as they are known.
pub type Texts = BTreeMap<Arc<str>, String>;

/// The suppressions among comments, in their order.
pub fn suppressions<'t>(
    remarks: impl IntoIterator<Item = Remark<'t>>,
) -> (Vec<Suppression>, Vec<Malformed>) {
    let (mut found, mut malformed) = (Vec::new(), Vec::new());
    for remark in remarks {
        let Some(said) = remark.text.trim().strip_prefix(MARK) else {
            continue;
        };
        match parse(said.trim(), remark.place) {
            Ok(more) => found.extend(more),
            Err(message) => malformed.push(Malformed {
                place: remark.place.clone(),
                message,
                help: HOW.to_owned(),
            }),
        }
    }
    (found, malformed)
}

fn parse(said: &str, place: &Place) -> Result<Vec<Suppression>, String> {
    let words = said.split_once(char::is_whitespace);
    let (verb, rest) = words.unwrap_or((said, ""));
    if verb != "allow" {
        return Err(format!(
            "`{MARK} {verb}` is nothing that a comment can say here"
        ));
    }
    let (allowed, reason) = match rest.split_once(REASON_MARK) {
        Some((allowed, reason)) => (allowed, reason.trim()),
        None => (rest, ""),
    };
    if allowed.trim().is_empty() {
        return Err("the suppression names no rule".to_owned());
    }
    if reason.is_empty() {
        return Err("the suppression gives no reason".to_owned());
    }
    let one = |word: &str| {
        let (code, subject) = match word.split_once(':') {
            Some((code, subject)) => (code, Some(subject.to_owned())),
            None => (word, None),
        };
        let code: Code = code
            .parse()
            .map_err(|_| format!("`{code}` is no code of a rule"))?;
        if rule(code).is_none() || code == up604::CODE {
            return Err(format!(
                "there is no rule {code} that a comment could suppress"
            ));
        }
        Ok(Suppression {
            place: place.clone(),
            code,
            subject,
            reason: reason.to_owned(),
        })
    };
    let words = allowed.split([' ', '\t', ',']);
    words.filter(|word| !word.is_empty()).map(one).collect()
}

/// Sorts findings by whether they are suppressed. `ran` says which rules were asked: a comment about
/// another is not unused.
pub fn sort_out<'o>(
    findings: Vec<Finding>,
    suppressions: &[Suppression],
    texts: &Texts,
    objects: impl IntoIterator<Item = &'o Object>,
    ran: impl Fn(Code) -> bool,
) -> Sorted {
    let begins = beginnings(objects);
    let lines: Vec<u32> = suppressions
        .iter()
        .map(|one| line_meant(one, texts))
        .collect();
    let mut used = vec![false; suppressions.len()];
    let mut sorted = Sorted::default();
    for finding in findings {
        let mut by = None;
        for (at, (suppression, line)) in suppressions.iter().zip(&lines).enumerate() {
            if covers(suppression, *line, &finding, &begins) {
                used[at] = true;
                by.get_or_insert(suppression);
            }
        }
        match by {
            Some(by) => sorted.suppressed.push(Suppressed {
                finding,
                by: by.clone(),
            }),
            None => sorted.findings.push(finding),
        }
    }
    let unused = suppressions.iter().zip(used);
    let unused = unused.filter(|(one, used)| !used && ran(one.code));
    sorted
        .findings
        .extend(unused.map(|(one, _)| nothing_there(one)));
    sorted
}

/// The objects that begin on each line.
type Beginnings<'o> = BTreeMap<(Arc<str>, u32), Vec<&'o ObjectKey>>;

fn beginnings<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Beginnings<'o> {
    let mut begins = Beginnings::new();
    for object in objects {
        if let Some(place) = object.origin.place_of(&FieldPath::root()) {
            let at = begins.entry((place.file, place.line)).or_default();
            at.push(&object.key);
        }
    }
    begins
}

/// The line that a comment is about: its own, or where it stands alone, the next with content.
fn line_meant(suppression: &Suppression, texts: &Texts) -> u32 {
    let Place { file, line, column } = &suppression.place;
    let Some(text) = texts.get(file) else {
        return *line;
    };
    let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut lines = text.lines().skip(index);
    let own = lines.next().unwrap_or_default();
    let before = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    if !own.chars().take(before).all(char::is_whitespace) {
        return *line;
    }
    let below = lines.zip(line + 1..);
    let mut content = below.filter(|(text, _)| is_content(text));
    content.next().map_or(*line, |(_, line)| line)
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    let is_comment = line.starts_with('#') || line.starts_with("//");
    !line.is_empty() && !is_comment && !line.starts_with("---")
}

fn covers(
    suppression: &Suppression,
    line: u32,
    finding: &Finding,
    begins: &Beginnings<'_>,
) -> bool {
    let of_subject = suppression.subject.as_ref();
    if suppression.code != finding.code || of_subject.is_some_and(|one| *one != finding.subject) {
        return false;
    }
    let file = &suppression.place.file;
    let Some(place) = finding.place.as_ref().filter(|place| place.file == *file) else {
        return false;
    };
    if place.line == line || place.line == suppression.place.line {
        return true;
    }
    let begun = begins.get(&(file.clone(), line)).into_iter().flatten();
    let mut begun = begun.copied();
    begun.any(|key| is_of(finding, place, key))
}

/// Whether what a finding points to stands in an object.
fn is_of(finding: &Finding, place: &Place, object: &ObjectKey) -> bool {
    let stands_in = |one: &Evidence| one.place.as_ref() == Some(place) && one.object == *object;
    finding.evidence.iter().any(stands_in)
}

fn nothing_there(suppression: &Suppression) -> Finding {
    let what = match &suppression.subject {
        Some(subject) => format!("{}:{subject}", suppression.code),
        None => suppression.code.to_string(),
    };
    let message = format!("the comment suppresses {what}, and nothing of that is found here");
    let mut finding = Finding::new(up604::CODE, Severity::Warn, what, message);
    finding.place = Some(suppression.place.clone());
    finding.help = vec![
        "remove the comment; if it is meant for another line, put it directly above that"
            .to_owned(),
    ];
    finding
}

//! Who needs a thing: a tree of needs, what breaks, a checklist.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{CascadeGroup, ObjectKey, Owner, Relation, Strength, wording};
use underpin_plan::why::{Broken, Consumer, Consumers, Edge, Effect, Need, Removal, Standing, Why};

use super::one_diagnostic;
use crate::{
    render::{
        style::{BOLD, DIM, paint},
        why::{Answer, place},
    },
    worlds::{Dump, WorldOrigin},
};

/// Fields shown of one need; JSON has all of them.
const EVIDENCE_SHOWN: usize = 3;
/// Objects shown of one owner in a group; JSON has all of them.
const GROUP_SHOWN: usize = 20;
/// Unread lists and bad documents shown; JSON has all of them.
const UNREAD_SHOWN: usize = 8;
/// Kinds named that a dump does not hold.
const KINDS_SHOWN: usize = 6;
/// Where only a part is shown.
const ALL: &str = "(--output json shows all)";

/// The answer: the needs, unless only what follows from them was asked for.
pub(crate) fn why(answer: &Answer<'_>) -> String {
    let mut text = head(answer);
    if answer.removal.is_none() && answer.consumers.is_none() {
        text.push_str(&needs(answer));
    }
    if let Some(one) = &answer.removal {
        text.push_str(&removal(&answer.why, one));
    }
    if let Some(one) = &answer.consumers {
        text.push_str(&checklist(&answer.why, one));
    }
    text.push_str(&left_out(answer));
    text
}

fn head(answer: &Answer<'_>) -> String {
    let why = &answer.why;
    let place = place(answer.source);
    let mut text = String::new();
    if why.asked != why.thing {
        text.push_str(&format!(
            "{} is made by {}, which makes another when it goes\n",
            why.asked, why.thing
        ));
    }
    let thing = paint(BOLD, &why.thing.to_string());
    text.push_str(&match (&why.standing, &why.owner) {
        (Standing::There, Some(owner)) if owner.is_claimed() => {
            format!("{thing} of {owner} ({place})\n")
        }
        (Standing::There, Some(owner)) => format!("{thing}, {owner} ({place})\n"),
        (Standing::There, None) => format!("{thing} ({place})\n"),
        (Standing::Missing, _) => format!("{thing} is not there ({place})\n"),
        (Standing::Unknown(unread), _) => {
            format!("whether {thing} is there could not be read ({place})\n    {unread}\n")
        }
    });
    for maker in &why.made_by {
        text.push_str(&format!("    made by {maker}\n"));
    }
    for key in &why.protections {
        text.push_str(&format!("    protected by {key}\n"));
    }
    text
}

fn needs(answer: &Answer<'_>) -> String {
    let why = &answer.why;
    let mut text = format!("{}\n", summary(answer));
    let (parts, users): (Vec<&Need>, Vec<&Need>) = why
        .needs
        .iter()
        .partition(|need| need.depth == 1 && need.is_part());
    text.push_str(&grouped(&parts));
    let tree = Tree::of(&users);
    for need in users.iter().filter(|need| need.via == why.thing) {
        text.push('\n');
        text.push_str(&tree.branch(need, 0));
    }
    let needed_parts: Vec<&&Need> = parts
        .iter()
        .filter(|part| tree.below.contains_key(&part.key))
        .collect();
    if !needed_parts.is_empty() {
        text.push_str("\nand of these are needed by others:\n");
    }
    for part in needed_parts {
        text.push_str(&format!("  {}\n", part.key));
        text.push_str(&tree.branches(&part.key, 2));
    }
    if !why.mentions.is_empty() {
        text.push_str("\nspeak of it, and do not need it:\n");
        for mention in &why.mentions {
            text.push_str(&format!("  {}\n", mention.consumer));
            text.push_str(&because(mention, 3));
        }
    }
    text
}

/// `4 objects need it: 3 of wallet/production, 1 unclaimed`.
fn summary(answer: &Answer<'_>) -> String {
    let needs = &answer.why.needs;
    let mut owners: BTreeMap<Option<&Owner>, usize> = BTreeMap::new();
    for need in needs {
        *owners.entry(need.owner.as_ref()).or_default() += 1;
    }
    if needs.is_empty() {
        let known = match &answer.source.origin {
            WorldOrigin::Declared(_) => "nothing that is declared there needs it",
            _ if answer.is_complete() => "nothing needs it",
            WorldOrigin::Dump(_) => "nothing in the dump needs it",
            WorldOrigin::Cluster => "nothing that could be read needs it",
        };
        return known.to_owned();
    }
    let owners: Vec<String> = owners
        .into_iter()
        .map(|(owner, count)| of_owner(owner, count))
        .collect();
    let verb = if needs.len() == 1 { "needs" } else { "need" };
    format!(
        "{} {verb} it: {}",
        wording::count(needs.len(), "object"),
        owners.join(", ")
    )
}

/// `3 of wallet/production`, `1 unclaimed`.
fn of_owner(owner: Option<&Owner>, count: usize) -> String {
    match owner {
        Some(owner) if owner.is_claimed() => format!("{count} of {owner}"),
        Some(owner) => format!("{count} {owner}"),
        None => format!("{count} not there"),
    }
}

/// What is a part of the thing rather than its user, by how and by owner.
fn grouped(parts: &[&Need]) -> String {
    type ByOwner<'a> = BTreeMap<Option<&'a Owner>, Vec<&'a ObjectKey>>;
    let mut groups: BTreeMap<Relation, ByOwner<'_>> = BTreeMap::new();
    for part in parts {
        let relation = part.links.first().map_or(Relation::Owned, |l| l.relation);
        let owners = groups.entry(relation).or_default();
        owners
            .entry(part.owner.as_ref())
            .or_default()
            .push(&part.key);
    }
    let mut text = String::new();
    for (relation, owners) in groups {
        let count = owners.values().map(Vec::len).sum();
        text.push_str(&format!(
            "\n{}: {}\n",
            how_parts(relation, count),
            wording::count(count, "object")
        ));
        for (owner, keys) in owners {
            text.push_str(&format!("  {}\n", of_owner(owner, keys.len())));
            text.push_str(&shown(&keys, 4));
        }
    }
    text
}

fn how_parts(relation: Relation, count: usize) -> &'static str {
    match (relation, count) {
        (Relation::Contained, 1) => "lies in it",
        (Relation::Contained, _) => "lie in it",
        (Relation::InstanceOf, 1) => "is an instance of it",
        (Relation::InstanceOf, _) => "are instances of it",
        (Relation::Made, 1) => "is made from it",
        (Relation::Made, _) => "are made from it",
        (_, 1) => "is owned by it",
        (_, _) => "are owned by it",
    }
}

fn shown(keys: &[&ObjectKey], indent: usize) -> String {
    let mut text: String = keys
        .iter()
        .take(GROUP_SHOWN)
        .map(|key| format!("{:indent$}{key}\n", ""))
        .collect();
    if keys.len() > GROUP_SHOWN {
        let more = keys.len() - GROUP_SHOWN;
        text.push_str(&format!("{:indent$}… {more} more {ALL}\n", ""));
    }
    text
}

/// The needs by what they lead over.
struct Tree<'a> {
    below: BTreeMap<&'a ObjectKey, Vec<&'a Need>>,
}

impl<'a> Tree<'a> {
    fn of(needs: &[&'a Need]) -> Self {
        let mut below: BTreeMap<&ObjectKey, Vec<&Need>> = BTreeMap::new();
        for need in needs {
            below.entry(&need.via).or_default().push(need);
        }
        Self { below }
    }

    /// Everything that leads over `key`, each with what leads over it in turn. Recursion follows
    /// the depth of needs, which is bounded.
    fn branches(&self, key: &ObjectKey, level: usize) -> String {
        let needs = self.below.get(key).into_iter().flatten();
        needs.map(|need| self.branch(need, level)).collect()
    }

    fn branch(&self, need: &Need, level: usize) -> String {
        let whose = whose(need.owner.as_ref());
        let sure = match need.strength {
            Strength::Required => "",
            Strength::Optional => ", optional",
            Strength::Guessed => ", a guess from text",
        };
        let mut text = format!("{}{} ({whose}{sure})\n", "  ".repeat(level), need.key);
        for link in need.links.iter().take(EVIDENCE_SHOWN) {
            text.push_str(&because(link, level + 2));
        }
        if need.links.len() > EVIDENCE_SHOWN {
            let more = need.links.len() - EVIDENCE_SHOWN;
            let indent = "  ".repeat(level + 2);
            text.push_str(&format!("{indent}… {more} more {ALL}\n"));
        }
        text.push_str(&self.branches(&need.key, level + 1));
        text
    }
}

fn whose(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "not there".to_owned(), ToString::to_string)
}

/// `because k8s/web.yaml:12:9 spec.selector: selects Pods with app=web`.
fn because(edge: &Edge, level: usize) -> String {
    format!(
        "{}{} {}\n",
        "  ".repeat(level),
        paint(DIM, "because"),
        evidence(edge)
    )
}

/// The field that says so, with its object where that is not the consumer itself.
fn evidence(edge: &Edge) -> String {
    let evidence = &edge.evidence;
    let mut words = Vec::new();
    words.extend(evidence.place.as_ref().map(ToString::to_string));
    if evidence.object != edge.consumer {
        words.push(evidence.object.to_string());
    }
    if !evidence.path.as_str().is_empty() {
        words.push(evidence.path.to_string());
    }
    if words.is_empty() {
        evidence.note.clone()
    } else {
        format!("{}: {}", words.join(" "), evidence.note)
    }
}

fn removal(why: &Why, removal: &Removal) -> String {
    let mut text = String::from("\nif it goes\n");
    if why.standing == Standing::Missing {
        text = String::from("\nit is not there, and so\n");
    }
    let dying: usize = removal.dies.iter().map(|group| group.objects.len()).sum();
    if dying > 0 {
        let verb = if dying == 1 { "dies" } else { "die" };
        text.push_str(&format!(
            "  {} {verb} with it\n",
            wording::count(dying, "object")
        ));
        text.push_str(&removal.dies.iter().map(dies).collect::<String>());
    }
    if !removal.derived.is_empty() {
        let (count, also) = (removal.derived.len(), if dying > 0 { "also " } else { "" });
        text.push_str(&format!(
            "  {also}{} that controllers made from it\n",
            wording::count(count, "object")
        ));
    }
    let mut last = None;
    for broken in &removal.broken {
        let heading = heading(broken);
        if last != Some(heading) {
            text.push_str(&format!("  {heading}\n"));
            last = Some(heading);
        }
        text.push_str(&breaks(why, broken));
    }
    if dying == 0 && removal.derived.is_empty() && removal.broken.is_empty() {
        text.push_str("  nothing else dies, and nothing breaks\n");
    } else if removal.broken.is_empty() {
        text.push_str("  nothing else breaks\n");
    }
    text
}

fn dies(group: &CascadeGroup) -> String {
    let owner = of_owner(Some(&group.owner), group.objects.len());
    let keys: Vec<&ObjectKey> = group.objects.iter().collect();
    format!("    {owner}\n{}", shown(&keys, 6))
}

fn heading(broken: &Broken) -> &'static str {
    match (broken.is_certain, broken.when) {
        (true, Effect::AtStart) => "breaks when a pod is started next",
        (true, Effect::AtRenewal) => "works on, and cannot be renewed or provisioned next time",
        (true, _) => "breaks at once",
        (false, Effect::AtStart) => "may break when a pod is started next, by a guess from text",
        (false, _) => "may break at once, by a guess from text",
    }
}

fn breaks(why: &Why, broken: &Broken) -> String {
    let lacks = if broken.lacks == why.thing {
        String::new()
    } else {
        format!(", without {}", broken.lacks)
    };
    let whose = whose(broken.owner.as_ref());
    format!(
        "    {} ({whose}){lacks}\n{}",
        broken.key,
        because(&broken.because, 4)
    )
}

fn checklist(why: &Why, consumers: &Consumers) -> String {
    if consumers.items.is_empty() {
        return "\nnobody to ask: nothing is found that uses it or names it\n".to_owned();
    }
    let mut text = format!("\nbefore {} goes or is renamed:\n", why.thing);
    for (owner, count) in &consumers.others {
        text.push_str(&format!(
            "- [ ] {owner}: {} below\n",
            wording::count(*count, "object")
        ));
    }
    for item in &consumers.items {
        text.push_str(&check(item));
    }
    text
}

fn check(item: &Consumer) -> String {
    let whose = whose(item.owner.as_ref());
    let sure = if item.is_certain { "" } else { ", perhaps" };
    let hosts = if item.hosts.is_empty() {
        String::new()
    } else {
        format!(" serves {},", item.hosts.join(", "))
    };
    format!(
        "- [ ] {} ({whose}{sure}):{hosts} {} ({})\n",
        item.key,
        item.because.evidence.note,
        where_said(&item.because)
    )
}

/// The place in a file, else the field.
fn where_said(edge: &Edge) -> String {
    match &edge.evidence.place {
        Some(place) => place.to_string(),
        None if edge.evidence.path.as_str().is_empty() => edge.evidence.object.to_string(),
        None => edge.evidence.path.to_string(),
    }
}

/// What is missing from the answer: unknown is not absent.
fn left_out(answer: &Answer<'_>) -> String {
    let mut text = String::new();
    let why = &answer.why;
    if why.is_cut {
        text.push_str("\nthe answer is cut short: there are more objects than are followed\n");
    }
    if !why.unread.is_empty() {
        text.push_str("\nincomplete: this could not be read, and may need it\n");
        let lines: BTreeSet<String> = why.unread.iter().map(ToString::to_string).collect();
        for line in lines.iter().take(UNREAD_SHOWN) {
            text.push_str(&format!("  {line}\n"));
        }
        if lines.len() > UNREAD_SHOWN {
            let more = lines.len() - UNREAD_SHOWN;
            text.push_str(&format!("  … {more} more {ALL}\n"));
        }
    }
    let problems = &answer.source.problems;
    if !problems.is_empty() {
        text.push_str("\nincomplete: this could not be understood, and may need it\n");
        let shown = problems.iter().take(UNREAD_SHOWN);
        text.push_str(&shown.map(one_diagnostic).collect::<String>());
        if problems.len() > UNREAD_SHOWN {
            let more = problems.len() - UNREAD_SHOWN;
            text.push_str(&format!("… {more} more {ALL}\n"));
        }
    }
    if let WorldOrigin::Dump(dump) = &answer.source.origin {
        text.push_str(&not_dumped(dump));
    }
    text
}

/// What a dump does not hold.
fn not_dumped(dump: &Dump) -> String {
    let mut text = String::new();
    if !dump.not_held.is_empty() {
        let shown = dump.not_held.iter().take(KINDS_SHOWN);
        let mut kinds: Vec<String> = shown.map(|kind| kind.kind.clone()).collect();
        if dump.not_held.len() > KINDS_SHOWN {
            kinds.push(format!("{} more", dump.not_held.len() - KINDS_SHOWN));
        }
        text.push_str(&format!(
            "\nthe dump holds no objects of these kinds, any of which may need it: {}\n",
            kinds.join(", ")
        ));
    }
    if let Some(namespace) = &dump.only_namespace {
        text.push_str(&format!(
            "\nthe dump holds namespace {namespace} alone: what needs it from others is not seen; \
             dump with --all-namespaces\n"
        ));
    }
    text
}

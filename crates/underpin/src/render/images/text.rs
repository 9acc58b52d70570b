use underpin_image::{Digest, ManifestPlan, Reason, RepositoryPath, Tag};
use underpin_model::wording::count;

use super::{ShownImages, help, reasons};
use crate::render::{
    style::{self, BOLD, DIM, paint},
    text as plain,
};

/// Images of one repository that are shown of those that stay, and of those that go.
const STAYING_SHOWN: usize = 8;
const GOING_SHOWN: usize = 20;
/// Digits of a digest that are shown.
const DIGITS: usize = 12;
/// What is missing, as far as it is shown.
const MISSING_SHOWN: usize = 10;
/// Stops that are shown; JSON has all of them.
const STOPS_SHOWN: usize = 20;

/// For people.
pub(crate) fn text(shown: &ShownImages<'_>) -> String {
    let mut text = heading(shown);
    text.push_str(&stops(shown));
    text.push_str(&plain::findings::findings(shown.findings));
    text.push_str(&missing(shown));
    for (path, repository) in &shown.plan.repositories {
        let manifests = repository.manifests.iter();
        let manifests = manifests.filter(|(digest, one)| shown.is_asked(path, digest, one));
        let manifests: Vec<(&Digest, &ManifestPlan)> = manifests.collect();
        if !manifests.is_empty() {
            text.push_str(&of_repository(path, &manifests, shown));
        }
    }
    for name in shown.unknown() {
        text.push_str(&format!(
            "{} nothing that was read in the registry is called {name}\n",
            style::note("note:")
        ));
    }
    for note in &shown.notes {
        text.push_str(&format!("{} {note}\n", style::note("note:")));
    }
    text.push_str(&summary(shown));
    text
}

fn heading(shown: &ShownImages<'_>) -> String {
    let repositories = shown.plan.repositories.len();
    let manifests: usize = shown
        .plan
        .repositories
        .values()
        .map(|one| one.manifests.len())
        .sum();
    let repositories = match repositories {
        1 => "1 repository".to_owned(),
        many => format!("{many} repositories"),
    };
    format!(
        "{}: {repositories} with {}; {} in {}\n\n",
        paint(BOLD, shown.input.registry.host.as_str()),
        count(manifests, "manifest"),
        count(shown.input.roots.len(), "need"),
        count(shown.input.sources.len(), "source"),
    )
}

fn stops(shown: &ShownImages<'_>) -> String {
    let stops = &shown.plan.stops;
    if stops.is_empty() {
        return String::new();
    }
    let mut text = format!("{}: nothing may be deleted\n", style::error("stopped"));
    let mut last = String::new();
    for stop in stops.iter().take(STOPS_SHOWN) {
        let way = help(stop);
        if last != way && !last.is_empty() {
            text.push_str(&format!("    {} {last}\n", paint(BOLD, "help:")));
        }
        text.push_str(&format!("  {}\n", reasons::stop(stop, shown.input)));
        last = way;
    }
    text.push_str(&format!("    {} {last}\n", paint(BOLD, "help:")));
    if stops.len() > STOPS_SHOWN {
        let more = stops.len() - STOPS_SHOWN;
        text.push_str(&format!("  … {more} more (--output json shows all)\n"));
    }
    text.push('\n');
    text
}

fn missing(shown: &ShownImages<'_>) -> String {
    let mut text = String::new();
    let missing = &shown.plan.missing;
    // It may stand on a page that could not be read.
    let is_known = shown.input.registry.unread.is_empty();
    let word = if is_known {
        "missing"
    } else {
        "perhaps missing"
    };
    for one in missing.iter().take(MISSING_SHOWN) {
        let root = shown.input.roots.get(one.root);
        // Pins have a rule of their own.
        let Some(root) = root.filter(|root| root.kind != underpin_image::RootKind::Pin) else {
            continue;
        };
        text.push_str(&format!("{word} {}: {}\n", one.what, reasons::needed(root)));
    }
    if missing.len() > MISSING_SHOWN {
        let more = missing.len() - MISSING_SHOWN;
        text.push_str(&format!(
            "… {more} more that is missing (--output json shows all)\n"
        ));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn of_repository(
    path: &RepositoryPath,
    manifests: &[(&Digest, &ManifestPlan)],
    shown: &ShownImages<'_>,
) -> String {
    let everything = shown.asked.all || !shown.asked.why.is_empty();
    let is_going = |one: &&(&Digest, &ManifestPlan)| one.1.reasons.is_empty();
    let going: Vec<_> = manifests.iter().filter(is_going).collect();
    let mut staying: Vec<_> = manifests.iter().filter(|one| !is_going(one)).collect();
    staying.sort_by_key(|(digest, one)| (rank(one), one.tags.clone(), (*digest).clone()));
    let mut text = format!(
        "{}: {} may go, {} stay\n",
        paint(BOLD, path.as_str()),
        going.len(),
        staying.len()
    );
    let limit = |limit: usize| if everything { usize::MAX } else { limit };
    let groups = going_together(path, &going, shown, everything);
    for line in groups.iter().take(limit(GOING_SHOWN)) {
        text.push_str(line);
    }
    text.push_str(&rest(groups.len(), limit(GOING_SHOWN), "may go"));
    // What has no tag of its own is told in sum, unless all is asked for.
    let ranked = |rank: u8| {
        staying
            .iter()
            .filter(|one| self::rank(one.1) == rank)
            .count()
    };
    let (parts, waiting) = (ranked(PART), ranked(WAITING));
    let told = staying
        .iter()
        .filter(|one| everything || rank(one.1) < PART);
    for (digest, manifest) in told.take(limit(STAYING_SHOWN)) {
        text.push_str(&stays(digest, manifest, shown, everything));
    }
    if !everything {
        let tagged = staying.len() - parts - waiting;
        text.push_str(&rest(tagged, STAYING_SHOWN, "stay"));
        if parts > 0 {
            text.push_str(&format!(
                "    and what these are made of: {}\n",
                count(parts, "manifest")
            ));
        }
    }
    text.push('\n');
    text
}

/// The place of a manifest that is a part of another among those that stay, and of one without a tag that
/// stays only for now.
const PART: u8 = 2;
const WAITING: u8 = 3;

/// What is needed comes first, then what stays for another reason, then parts, then what waits.
fn rank(manifest: &ManifestPlan) -> u8 {
    let is_part = |reason: &Reason| {
        matches!(
            reason,
            Reason::ChildOf(_) | Reason::RefersTo(_) | Reason::ReferredBy(_)
        )
    };
    if manifest.reasons.iter().any(Reason::is_need) {
        0
    } else if manifest.tags.is_empty() && manifest.reasons.iter().any(is_part) {
        PART
    } else if manifest.tags.is_empty() && manifest.reasons.iter().all(Reason::is_pace) {
        WAITING
    } else {
        1
    }
}

/// What goes together, a line for each: its images, and how many parts they have.
fn going_together(
    path: &RepositoryPath,
    going: &[&(&Digest, &ManifestPlan)],
    shown: &ShownImages<'_>,
    everything: bool,
) -> Vec<String> {
    let groups = shown
        .plan
        .deletions
        .iter()
        .filter(|group| group.repository == *path);
    let lines = groups.filter_map(|group| {
        let of_group = |one: &&&(&Digest, &ManifestPlan)| {
            let mut manifests = group.manifests.iter();
            manifests.any(|doomed| doomed.digest == *one.0)
        };
        let members = going.iter().filter(of_group);
        let members: Vec<(&Digest, &[Tag])> = members.map(|one| (one.0, &*one.1.tags)).collect();
        (!members.is_empty()).then(|| {
            format!(
                "  {} {}: nothing has needed it since {:.0}\n",
                style::removed(),
                together(&members, everything),
                group.candidate_since
            )
        })
    });
    lines.collect()
}

/// What goes together: its images, and how many parts they have.
pub(super) fn together(members: &[(&Digest, &[Tag])], everything: bool) -> String {
    let has_tags = |one: &&(&Digest, &[Tag])| !one.1.is_empty();
    let mut shown: Vec<_> = members.iter().filter(has_tags).collect();
    if shown.is_empty() || everything {
        let most = if everything { usize::MAX } else { 1 };
        shown = members.iter().take(most).collect();
    }
    let names = shown.iter().map(|one| named(one.0, one.1, everything));
    let names: Vec<String> = names.collect();
    let parts = match members.len() - names.len() {
        0 => String::new(),
        parts => format!(", with {}", count(parts, "part")),
    };
    format!("{}{parts}", names.join(", "))
}

fn stays(
    digest: &Digest,
    manifest: &ManifestPlan,
    shown: &ShownImages<'_>,
    everything: bool,
) -> String {
    let name = named(digest, &manifest.tags, everything);
    let told = manifest.reasons.iter().map(|one| {
        let is_stopped = !shown.plan.stops.is_empty();
        reasons::reason(one, is_stopped, shown.input)
    });
    let mut told: Vec<String> = told.collect();
    told.dedup();
    if everything {
        let lines: String = told.iter().map(|one| format!("      {one}\n")).collect();
        return format!("  {} {name}\n{lines}", paint(DIM, "="));
    }
    let more = match told.len() - 1 {
        0 => String::new(),
        more => format!(" (and {})", count(more, "more reason")),
    };
    let first = told.first().map(String::as_str).unwrap_or_default();
    format!("  {} {name}: {first}{more}\n", paint(DIM, "="))
}

fn rest(number: usize, shown: usize, what: &str) -> String {
    if number <= shown {
        return String::new();
    }
    format!("    … {} more {what} (--all shows them)\n", number - shown)
}

/// `staging, 0.1.42 (sha256:0123456789ab)`.
pub(super) fn named(digest: &Digest, tags: &[Tag], whole: bool) -> String {
    let short = match digest.encoded().get(..DIGITS).filter(|_| !whole) {
        Some(digits) => format!("{}:{digits}", digest.algorithm()),
        None => digest.to_string(),
    };
    if tags.is_empty() {
        return short;
    }
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    format!("{} ({short})", tags.join(", "))
}

fn summary(shown: &ShownImages<'_>) -> String {
    let plan = shown.plan;
    let all = plan
        .repositories
        .values()
        .flat_map(|one| one.manifests.values());
    let (mut stay, mut paced) = (0_usize, 0_usize);
    for manifest in all.filter(|one| !one.reasons.is_empty()) {
        stay += 1;
        paced += usize::from(manifest.reasons.iter().all(Reason::is_pace));
    }
    let go: usize = plan
        .deletions
        .iter()
        .map(|group| group.manifests.len())
        .sum();
    let mut text = format!("{} may go, {stay} stay", count(go, "manifest"));
    if paced > 0 && plan.stops.is_empty() {
        text.push_str(&format!(
            ", {paced} of them only for now: nothing needs them"
        ));
    }
    if go > 0 {
        let freed = plan.freed(shown.input.registry);
        text.push_str(&format!("; that frees {}", size(freed.bytes)));
    }
    text.push('\n');
    if let Some((file, frozen)) = shown.frozen {
        text.push_str(&format!("frozen into {file} ({})\n", frozen.hash));
    }
    text
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = "B";
    let (mut whole, mut tenths) = (bytes, 0);
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
    }
    if unit == "B" || whole >= 100 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{tenths} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (200 << 20, "200 MiB"),
            (5 << 40, "5.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}

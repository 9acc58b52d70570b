//! Ranges of versions, and what image policies select.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: what is wrong here fails them"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use underpin_image::{ImagePolicy, Order, Selection, Tag, Version, VersionRange};

/// `RANGE | VERSIONS IN IT | VERSIONS THAT ARE NOT`, `-` for none, or `RANGE | ! WHY`.
const RANGES: &str = include_str!("ranges.txt");

/// A policy, tags, and what is selected; see the head of the file.
const POLICIES: &str = include_str!("policies.txt");

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

#[test]
fn ranges_hold_what_masterminds_says() {
    let mut asked = 0;
    for line in lines(RANGES) {
        let parts: Vec<&str> = line
            .split(" | ")
            .map(|part| part.trim_matches('"'))
            .collect();
        let parsed = VersionRange::parse(parts[0]);
        if let Some(why) = parts[1].strip_prefix("! ") {
            assert_eq!(parsed.unwrap_err().to_string(), why, "{line}");
            asked += 1;
            continue;
        }
        let range = parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
        for (versions, inside) in [(parts[1], true), (parts[2], false)] {
            for version in versions.split_whitespace().filter(|one| *one != "-") {
                let read = Version::strict(version).unwrap_or_else(|| panic!("{line}: {version}"));
                assert_eq!(range.contains(&read), inside, "{line}: {version}");
                asked += 1;
            }
        }
    }
    assert!(asked > 200, "{asked}");
}

#[test]
fn versions_are_three_numbers_and_nothing_looser() {
    for text in [
        "1.2.3",
        "v1.2.3",
        "0.0.0",
        "1.2.3-rc.1",
        "1.2.3-0a",
        "1.2.3+b.01",
        "1.2.3--",
    ] {
        assert!(Version::strict(text).is_some(), "{text}");
    }
    for text in [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "01.2.3",
        "1.2.03",
        "vv1.2.3",
        "V1.2.3",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3+",
        "1.2.x",
        "1.2.3-a..b",
        "+1.2.3",
        "1.2.99999999999999999999",
        "1.2.3 ",
        "latest",
    ] {
        assert!(Version::strict(text).is_none(), "{text}");
    }
}

#[test]
fn versions_stand_in_the_order_of_the_specification() {
    let order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.10.0",
        "2.0.0",
    ];
    let order = order.map(|text| Version::strict(text).unwrap());
    for (at, left) in order.iter().enumerate() {
        for (other, right) in order.iter().enumerate() {
            assert_eq!(left.precedence(right), at.cmp(&other), "{left:?} {right:?}");
        }
    }
}

fn policy(text: &str) -> ImagePolicy {
    let mut policy = ImagePolicy {
        order: Order::Missing,
        pattern: None,
        extract: None,
        exclusions: None,
    };
    for part in text.split("; ") {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.to_owned();
        match key {
            "semver" => policy.order = Order::Semver { range: value },
            "alphabetical" => policy.order = Order::Alphabetical { order: value },
            "numerical" => policy.order = Order::Numerical { order: value },
            "pattern" => policy.pattern = Some(value),
            "extract" => policy.extract = Some(value),
            "exclude" => policy.exclusions.get_or_insert_default().push(value),
            "nothing" => {}
            _ => panic!("{part}"),
        }
    }
    policy
}

fn told(tags: &BTreeSet<Tag>) -> String {
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    tags.join(" ")
}

#[test]
fn policies_select_what_flux_would() {
    for line in lines(POLICIES) {
        let parts: Vec<&str> = line.split(" | ").collect();
        let tags: Vec<Tag> = parts[1]
            .split_whitespace()
            .map(|tag| Tag::new(tag).unwrap())
            .collect();
        let told = match policy(parts[0]).select(tags.iter()) {
            Selection::Selected(tags) => told(&tags),
            Selection::Nothing => "nothing".to_owned(),
            Selection::Unknown { tags, reason } => format!("? {}: {reason}", told(&tags)),
        };
        assert_eq!(told, parts[2], "{line}");
    }
}

proptest! {
    #[test]
    fn no_range_makes_it_panic(text in "[0-9xX*v.^~<>=!, |a+-]{0,24}", other in any::<String>()) {
        for text in [text, other] {
            if let Ok(range) = VersionRange::parse(&text) {
                range.contains(&Version::strict("1.2.3").unwrap());
            }
        }
    }

    /// A caret range holds exactly what the two comparisons hold that it stands for.
    #[test]
    fn carets_and_tildes_are_what_they_stand_for(
        major in 1..4_u64, minor in 0..4_u64, patch in 0..4_u64,
        other in (0..5_u64, 0..5_u64, 0..5_u64),
    ) {
        let version = Version::strict(&format!("{}.{}.{}", other.0, other.1, other.2)).unwrap();
        let same = |left: &str, right: &str| {
            let holds = |text: &str| VersionRange::parse(text).unwrap().contains(&version);
            (holds(left), holds(right))
        };
        let from = format!("{major}.{minor}.{patch}");
        let (left, right) = same(&format!("^{from}"), &format!(">={from}, <{}.0.0", major + 1));
        prop_assert_eq!(left, right);
        let (left, right) = same(&format!("~{from}"), &format!(">={from} <{major}.{}.0", minor + 1));
        prop_assert_eq!(left, right);
        let (left, right) = same(&format!("{major}.x"), &format!("{major}.0.0 - {major}"));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn no_policy_makes_it_panic(
        pattern in any::<String>(), extract in any::<String>(), range in any::<String>(),
        tags in proptest::collection::vec("[a-z0-9._-]{1,8}", 0..6),
    ) {
        let tags: Vec<Tag> = tags.iter().filter_map(|tag| Tag::new(tag).ok()).collect();
        let policy = ImagePolicy {
            order: Order::Semver { range },
            pattern: Some(pattern),
            extract: Some(extract),
            exclusions: None,
        };
        let all: BTreeSet<Tag> = tags.iter().cloned().collect();
        match policy.select(tags.iter()) {
            Selection::Selected(some) | Selection::Unknown { tags: some, .. } => {
                prop_assert!(some.is_subset(&all));
            }
            Selection::Nothing => {}
        }
    }
}

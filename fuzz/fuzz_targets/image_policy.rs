//! A policy selects among the tags that there are, whatever it says.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use underpin_image::{ImagePolicy, Order, Selection, Tag, Version, VersionRange};

fuzz_target!(|parts: (String, String, String, Vec<String>)| {
    let (range, pattern, extract, tags) = parts;
    let tags: BTreeSet<Tag> = tags.iter().filter_map(|tag| Tag::new(tag).ok()).collect();
    if let (Ok(range), Some(version)) = (VersionRange::parse(&range), Version::strict(&extract)) {
        range.contains(&version);
    }
    let policy = ImagePolicy {
        order: Order::Semver { range },
        pattern: Some(pattern),
        extract: Some(extract),
        exclusions: None,
    };
    match policy.select(tags.iter()) {
        Selection::Selected(some) | Selection::Unknown { tags: some, .. } => {
            assert!(some.is_subset(&tags));
        }
        Selection::Nothing => {}
    }
});

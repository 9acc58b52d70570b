//! References: a table of what is read and what is refused, and properties.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: what is wrong here fails them"
)]

use proptest::prelude::*;
use underpin_image::{Digest, Host, ImageId, Reference, RepositoryPath, Tag};

/// `TEXT => WHOLE NAME`, or `TEXT => ! WHY`. `{D}` stands for a digest, `{H}` for its hash, `{N*x}`
/// for a repeated letter, and quotes for a text with white space.
const CASES: &str = include_str!("references.txt");

fn filled(text: &str) -> String {
    let digest = Digest::of(b"image");
    let text = text.trim().trim_matches('"');
    let mut text = text
        .replace("{D}", digest.as_str())
        .replace("{H}", digest.encoded());
    while let Some((before, rest)) = text.split_once("{N*") {
        let (count, behind) = rest.split_once('}').unwrap();
        text = format!("{before}{}{behind}", "a".repeat(count.parse().unwrap()));
    }
    text
}

#[test]
fn what_is_read_and_what_is_refused() {
    let lines = CASES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut seen = 0;
    for line in lines {
        let (text, expect) = line.split_once(" => ").unwrap_or_else(|| panic!("{line}"));
        let (text, expect) = (filled(text), filled(expect));
        let read = text.parse::<Reference>();
        match (expect.strip_prefix("! "), &read) {
            (Some(why), Err(error)) => assert_eq!(error.to_string(), why, "{line}"),
            (None, Ok(reference)) => assert_eq!(reference.to_string(), expect, "{line}"),
            _ => panic!("{line}: {read:?}"),
        }
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_digest_is_pulled_whatever_the_tag_and_latest_where_nothing_is_written() {
    let digest = Digest::of(b"image");
    let tag = |text: &str| text.parse::<Reference>().unwrap().pulled_tag();
    assert_eq!(tag("web"), Tag::new("latest").ok());
    assert_eq!(tag("web:1"), Tag::new("1").ok());
    assert_eq!(tag(&format!("web:1@{digest}")), None);
}

#[test]
fn statuses_of_containers_are_read_with_what_runtimes_put_before() {
    let digest = Digest::of(b"image");
    let bare = ImageId::Bare(digest.clone());
    for text in [format!("{digest}"), format!("docker://{digest}")] {
        assert_eq!(text.parse(), Ok(bare.clone()), "{text}");
    }
    let image = format!("registry.example.com/team/web@{digest}");
    let whole = ImageId::Image(image.parse().unwrap());
    for text in [format!("docker-pullable://{image}"), image] {
        assert_eq!(text.parse(), Ok(whole.clone()), "{text}");
    }
    assert!("".parse::<ImageId>().is_err());
}

/// `--prefix team` is no beginning of a text.
#[test]
fn folders_of_repositories_end_at_a_slash() {
    let is_below = |path: &str, folder: &str| RepositoryPath::new(path).unwrap().is_below(folder);
    assert!(is_below("team/web", "team"));
    assert!(is_below("team/web", "team/"));
    assert!(is_below("team", "team"));
    assert!(!is_below("teamster/web", "team"));
    assert!(!is_below("web", "team"));
}

#[test]
fn hosts_are_compared_in_one_form() {
    for (one, other, same) in [
        ("Registry.Example.com", "registry.example.com", true),
        ("registry.example.com:443", "registry.example.com", true),
        ("registry.example.com:80", "registry.example.com", false),
        ("[::1]:443", "[::1]", true),
        ("[::1]:5000", "[::1]", false),
    ] {
        let equal = Host::new(one).unwrap() == Host::new(other).unwrap();
        assert_eq!(equal, same, "{one} {other}");
    }
}

proptest! {
    /// Whatever is read is written out as something that is read as the same.
    #[test]
    fn what_is_read_survives_the_way_through_text(text in "[a-zA-Z0-9._:/@\\[\\]-]{0,60}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }
    }

    #[test]
    fn nothing_makes_it_panic(text in any::<String>()) {
        let _ = text.parse::<Reference>();
        let _ = text.parse::<ImageId>();
        let _ = Host::new(&text);
    }

    /// Every reference that is made of valid parts is read as these parts.
    #[test]
    fn valid_parts_are_read_as_they_are(
        host in "[a-z][a-z0-9]{0,8}\\.[a-z]{2,3}(:[1-9][0-9]{0,3})?",
        path in "[a-z0-9]{1,8}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,5}){0,2}",
        tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
        with_digest in any::<bool>(),
    ) {
        let digest = with_digest.then(|| Digest::of(path.as_bytes()));
        let mut text = format!("{host}/{path}");
        if let Some(tag) = &tag {
            text.push_str(&format!(":{tag}"));
        }
        if let Some(digest) = &digest {
            text.push_str(&format!("@{digest}"));
        }
        let read = text.parse::<Reference>().unwrap();
        prop_assert_eq!(read.location.host, Host::new(&host).unwrap());
        prop_assert_eq!(read.location.repository.as_str(), path);
        prop_assert_eq!(read.tag.as_ref().map(Tag::as_str), tag.as_deref());
        prop_assert_eq!(read.digest, digest);
    }
}

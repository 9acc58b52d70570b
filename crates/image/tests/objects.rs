//! From objects to roots: files of `objects/`, each with what its objects need at its head.
//!
//! ```text
//! #> KIND NAME PATH: TARGET     a root, in any order; all must be told
//! #? NAME PATH: REASON          a need that cannot be told
//! #unknown NAME PATH            a part of an object that is not known
//! #unknown NAME PATH = TEXT     of which this is known, with `*` for the rest
//! ```

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::{fs, sync::Arc};

use underpin_image::{
    Deletion, Host, Registry, Repository, RepositoryPath, Root, RootSettings, Target, object_roots,
    text_roots,
};
use underpin_model::{FieldPath, UnknownPart, UnknownParts, World};
use underpin_refs::ImageSources;
use underpin_source::yaml;

const HOST: &str = "registry.example.com";

fn target(target: &Target) -> String {
    match target {
        Target::Image(reference) => reference.to_string(),
        Target::Digest(digest) => digest.to_string(),
        Target::Policy(location, policy) => format!(
            "{location} {:?} {:?} {:?} {:?}",
            policy.order, policy.pattern, policy.extract, policy.exclusions
        ),
        Target::Pattern {
            host,
            repository,
            tag,
        } => {
            let host = host.as_ref().map_or("?", Host::as_str);
            format!("pattern {host} {repository} {tag}")
        }
        Target::Pin(pin) => pin.text.clone(),
        Target::Unreadable { text, reason } => format!("unreadable {text}: {reason}"),
    }
}

fn line(root: &Root) -> String {
    let (object, path) = (&root.evidence.object, &root.evidence.path);
    format!(
        "{:?} {} {path}: {}",
        root.kind,
        object.name,
        target(&root.target)
    )
}

fn read_yaml(text: &str) -> Result<serde_json::Value, String> {
    let (documents, diagnostics) = yaml::parse("values", text);
    let value = documents.into_iter().next().map(|document| document.value);
    if diagnostics.is_empty() {
        Ok(value.unwrap_or_default())
    } else {
        Err("it is no YAML".to_owned())
    }
}

/// What a file says is not known of an object.
fn unknown(text: &str, name: &str) -> UnknownParts {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("#unknown "));
    let parts = lines.filter_map(|line| {
        let (of, what) = line.split_once(' ').unwrap();
        let (path, pattern) = match what.split_once(" = ") {
            Some((path, pattern)) => (path, Some(pattern.to_owned())),
            None => (what, None),
        };
        (of == name).then(|| UnknownPart {
            path: FieldPath::new(path),
            reason: "var.x has no value".to_owned(),
            pattern,
        })
    });
    UnknownParts::new(parts.collect(), None)
}

#[test]
fn r4_1_objects_need_what_their_files_say() {
    let folder = format!("{}/tests/objects", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|one| one.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 5);
    let mut registry = Registry::new(Host::new(HOST).unwrap(), Deletion::TagsAlone);
    for path in ["team/hidden", "team/plain"] {
        let path = RepositoryPath::new(path).unwrap();
        registry.repositories.insert(path, Repository::default());
    }
    let source: Arc<str> = "production".into();
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        let (objects, diagnostics) = underpin_source::dump::read_text(&name, &text);
        assert!(diagnostics.is_empty(), "{name}: {diagnostics:?}");
        let mut world = World::default();
        for object in objects {
            let unknown = unknown(&text, &object.key.name);
            world.insert(object.with_unknown(unknown));
        }
        let mut found: Vec<String> = Vec::new();
        let settings = RootSettings {
            registry: &registry,
            sources: ImageSources {
                world: &world,
                read_yaml: &read_yaml,
            },
            source: &source,
        };
        for object in world.objects() {
            let (roots, unknown) = object_roots(object, settings);
            found.extend(roots.iter().map(|root| format!("#> {}", line(root))));
            let unknown = unknown.iter().map(|need| {
                let (object, path) = (&need.evidence.object.name, &need.evidence.path);
                format!("#? {object} {path}: {}", need.reason)
            });
            found.extend(unknown);
            if text.contains("#sweep") {
                let roots = text_roots(object, settings);
                found.extend(roots.iter().map(|root| format!("#> {}", line(root))));
            }
        }
        let head = text
            .lines()
            .filter(|line| line.starts_with("#>") || line.starts_with("#?"));
        let mut expected: Vec<String> = head.map(str::to_owned).collect();
        expected.sort();
        found.sort();
        if found != expected {
            let all = found.join("\n");
            wrong.push(format!(
                "## {name}\n{all}\n\ninstead of\n{}",
                expected.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

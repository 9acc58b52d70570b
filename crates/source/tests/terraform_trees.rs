//! Folders of Terraform files, and all that is read from each (R5.2, R5.4).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;

use camino::Utf8Path;
use underpin_model::{FieldPath, Object};
use underpin_source::terraform::{Configuration, Options, read, read_text};

/// Everything of a configuration, for a snapshot.
fn shown(found: &Configuration) -> String {
    let mut out = String::new();
    for declared in &found.objects {
        let _ = writeln!(out, "object {} of {}", declared.address, declared.root);
        object(&declared.object, &mut out);
    }
    for unknown in &found.unknown {
        let _ = writeln!(
            out,
            "unknown {} of {} at {}: kind {}, namespace {:?}, name {:?}, doubt {:?}",
            unknown.address,
            unknown.root,
            unknown.place,
            unknown
                .kind
                .as_ref()
                .map_or_else(|| "?".to_owned(), ToString::to_string),
            unknown.namespace,
            unknown.name,
            unknown.doubt,
        );
        for part in &unknown.parts {
            let _ = writeln!(out, "  unknown `{}`: {}", part.path, part.reason);
        }
        if let Some(known) = &unknown.known {
            object(known, &mut out);
        }
    }
    for release in &found.releases {
        let _ = writeln!(out, "{release:?}");
    }
    for (kind, count) in &found.ignored {
        let _ = writeln!(out, "ignored {kind}: {count}");
    }
    for unread in &found.unread {
        let _ = writeln!(out, "unread {}: {}", unread.place, unread.reason);
    }
    for comment in &found.comments {
        let _ = writeln!(out, "comment {}:{}", comment.place, comment.text);
    }
    for diagnostic in &found.diagnostics {
        let _ = writeln!(out, "{diagnostic}");
    }
    out
}

fn object(object: &Object, out: &mut String) {
    let place = object.origin.place_of(&FieldPath::root()).unwrap();
    let _ = writeln!(out, "  {} at {place}", object.key);
    let text = serde_json::to_string(&*object.value).unwrap();
    let _ = writeln!(out, "  {text}");
}

#[track_caller]
fn check(name: &str, options: &Options) {
    // Places begin with the path as it is given, which is relative for that reason.
    let folder = Utf8Path::new("tests/terraform/trees").join(name);
    let found = read(&folder, options);
    insta::assert_snapshot!(name, shown(&found));
}

#[test]
fn allow_lists_are_read_with_the_place_of_each_consumer_r5_2() {
    check("allow_lists", &Options::default());
    let found = read(
        Utf8Path::new("tests/terraform/trees/allow_lists"),
        &Options::default(),
    );
    let policy = |address: &str| {
        let mut objects = found.objects.iter();
        &objects
            .find(|declared| declared.address == address)
            .unwrap()
            .object
    };
    let line = |address: &str, path: &str| {
        let place = policy(address)
            .origin
            .place_of(&FieldPath::new(path))
            .unwrap();
        place.line
    };
    let peer = |index: usize| {
        format!(
            "spec.ingress[{index}].from[0].namespaceSelector.matchLabels[\"kubernetes.io/metadata.name\"]"
        )
    };
    let manifest = "kubernetes_manifest.default_deny_ingress[\"postgres\"]";
    assert_eq!(line(manifest, &peer(0)), 8);
    assert_eq!(line(manifest, &peer(2)), 10);
    assert_eq!(line("kubernetes_network_policy.ports", &peer(1)), 9);
    // `egress {}` allows everything: one rule without peers.
    let egress = policy("kubernetes_network_policy_v1.allow_egress").at("/spec/egress");
    assert_eq!(egress.unwrap(), &serde_json::json!([{}]));
}

#[test]
fn modules_are_followed_and_secrets_masked() {
    check("modules", &Options::default());
    let found = read(
        Utf8Path::new("tests/terraform/trees/modules"),
        &Options::default(),
    );
    assert!(found.secrets.hides("the correct horse"));
}

#[test]
fn what_only_a_run_can_tell_is_unknown_and_nothing_vanishes() {
    check("unknown", &Options::default());
}

#[test]
fn the_caller_settles_what_it_knows() {
    let options = Options {
        workspace: Some("staging".to_owned()),
        variables: [(
            "extra_consumers".to_owned(),
            "[\"one\", \"two\"]".to_owned(),
        )]
        .into(),
        ..Options::default()
    };
    let found = read(Utf8Path::new("tests/terraform/trees/unknown"), &options);
    insta::assert_snapshot!("unknown_settled", shown(&found));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_rest_is_read() {
    check("wrong", &Options::default());
}

#[test]
fn a_broken_block_leaves_the_others_and_is_not_shown() {
    check("broken", &Options::default());
    let found = read(
        Utf8Path::new("tests/terraform/trees/broken"),
        &Options::default(),
    );
    assert!(!format!("{:?}{}", found, shown(&found)).contains("hunter2"));
}

#[test]
fn json_files_are_read_like_the_others() {
    check("json", &Options::default());
}

#[test]
fn files_and_templates_within_the_folder_are_read() {
    check("files", &Options::default());
}

#[cfg(unix)]
#[test]
fn links_do_not_lead_out_of_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.yaml"), "password: hunter2\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("inside.yaml");
    std::os::unix::fs::symlink(outside.path().join("secret.yaml"), link).unwrap();
    let text = r#"
resource "kubernetes_config_map" "it" {
  metadata {
    name = "it"
  }
  data = {
    linked   = try(file("${path.module}/inside.yaml"), "hidden")
    absolute = fileexists("/etc/passwd") ? "yes" : "no"
    set      = join(",", fileset(path.module, "**"))
  }
}
"#;
    std::fs::write(folder.path().join("main.tf"), text).unwrap();
    let found = read(
        Utf8Path::from_path(folder.path()).unwrap(),
        &Options::default(),
    );
    assert_eq!(found.diagnostics.len(), 3, "{:?}", found.diagnostics);
    assert_eq!(found.unknown[0].parts.len(), 3);
    assert!(!format!("{:?}", found.unknown[0].known.as_ref().unwrap().value).contains("hunter2"));
}

/// As the provider does: a block without anything in it is a rule that allows everybody, and ports
/// are numbers where their text is one (R5.2).
#[test]
fn blocks_of_policies_mean_what_the_provider_makes_of_them_r5_2() {
    let text = r#"
resource "kubernetes_network_policy_v1" "open" {
  metadata {
    name      = "open"
    namespace = "shop"
  }
  spec {
    pod_selector {}
    policy_types = ["Ingress", "Egress"]
    ingress {}
    egress {
      to {
        ip_block {
          cidr = "192.0.2.0/24"
        }
      }
      ports {
        port     = "5432"
        protocol = "TCP"
      }
      ports {
        port = "metrics"
      }
    }
  }
}
"#;
    let found = read_text(Utf8Path::new("main.tf"), text, &Options::default());
    assert_eq!(found.diagnostics, []);
    let object = &found.objects[0].object;
    assert_eq!(
        object.value["spec"],
        serde_json::json!({
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{}],
            "egress": [{
                "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
                "ports": [{"port": 5432, "protocol": "TCP"}, {"port": "metrics"}],
            }],
        })
    );
    let place = |path: &str| {
        object
            .origin
            .place_of(&FieldPath::new(path))
            .unwrap()
            .to_string()
    };
    assert_eq!(place("spec.ingress[0]"), "main.tf:10:5");
    assert_eq!(place("spec.egress[0].to[0]"), "main.tf:12:7");
    assert_eq!(place("spec.egress[0].ports[1]"), "main.tf:21:7");
}

/// Of a text with what is not known in it, the rest is told; of a secret one nothing (R4.1).
#[test]
fn of_a_text_that_is_partly_unknown_the_rest_is_known() {
    let text = r#"
variable "tag" {}
variable "registry" {}
variable "password" { sensitive = true }
variable "debug" {}
locals { image = "registry.example.com/team/web:${var.tag}" }
resource "kubernetes_deployment" "web" {
  metadata {
    name      = "web"
    namespace = "shop"
  }
  spec {
    template {
      spec {
        container {
          name  = "a"
          image = local.image
        }
        container {
          name  = "b"
          image = "${var.registry}/team/api:1%{ if var.debug }-debug%{ endif }"
        }
        container {
          name  = "c"
          image = "team/${var.password}"
        }
        container {
          name  = "d"
          image = var.registry
        }
      }
    }
  }
}
"#;
    let found = read_text(Utf8Path::new("main.tf"), text, &Options::default());
    assert_eq!(found.diagnostics, []);
    let parts = found.unknown[0].parts.iter();
    let parts: Vec<_> = parts
        .map(|part| (part.path.as_str(), part.pattern.as_deref()))
        .collect();
    let image = |at: usize| format!("spec.template.spec.containers[{at}].image");
    assert_eq!(
        parts,
        [
            (&*image(0), Some("registry.example.com/team/web:*")),
            (&*image(1), Some("*/team/api:1*")),
            (&*image(2), None),
            (&*image(3), None),
        ]
    );
}

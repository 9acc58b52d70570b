//! Where in git an object comes from that Argo CD or Flux applies.

use serde_json::Value;
use underpin_model::{GroupKind, Object, ObjectKey, World};

use crate::owner::argo_application;

/// What applies an object from git, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSource {
    /// `Argo CD` or `Flux`.
    pub tool: &'static str,
    /// `Application shop`, `Kustomization flux-system/apps`: the unit that applies it.
    pub unit: String,
    /// Repositories, paths and revisions, as the unit says them; empty where it could not be read.
    pub places: Vec<GitPlace>,
}

/// A place in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitPlace {
    /// The repository, as the unit names it, without a password that may stand in it.
    pub repository: String,
    /// `path apps/shop` or `chart web`: where in it.
    pub within: Option<String>,
    /// Branch, tag or commit.
    pub revision: Option<String>,
}

/// Sources of one unit that are told.
const PLACES_LIMIT: usize = 5;

/// What applies an object from git. The unit's own objects are looked up in `world`, which holds
/// them where they could be read.
pub fn git_source(object: &Object, world: &World) -> Option<GitSource> {
    flux(object, world).or_else(|| argo(object, world))
}

fn argo(object: &Object, world: &World) -> Option<GitSource> {
    let name = argo_application(object)?;
    Some(GitSource {
        tool: "Argo CD",
        unit: format!("Application {}", name.replace('_', "/")),
        places: application(&name, world).unwrap_or_default(),
    })
}

/// Where the Application of a name takes things from. The name is `namespace_name` where applications
/// live in several namespaces. Of several of one name nobody can tell which it is.
fn application(name: &str, world: &World) -> Option<Vec<GitPlace>> {
    let kind = GroupKind::new("argoproj.io", "Application");
    let (namespace, name) = match name.split_once('_') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    };
    let mut named = world.of_kind(&kind).filter(|one| {
        one.key.name == name && (namespace.is_none() || one.key.namespace.as_deref() == namespace)
    });
    match (named.next(), named.next()) {
        (Some(application), None) => Some(argo_places(application)),
        _ => None,
    }
}

fn argo_places(application: &Object) -> Vec<GitPlace> {
    let several = application.at("/spec/sources");
    let several = several.and_then(Value::as_array);
    let one = application.at("/spec/source");
    let sources = several.into_iter().flatten().chain(one).take(PLACES_LIMIT);
    sources
        .filter_map(|source| {
            let text = |field: &str| source.get(field)?.as_str().map(str::to_owned);
            Some(GitPlace {
                repository: without_user(&text("repoURL")?),
                within: within("path", text("path")).or_else(|| within("chart", text("chart"))),
                revision: text("targetRevision").filter(|revision| !revision.is_empty()),
            })
        })
        .collect()
}

const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";
const SOURCE: &str = "source.toolkit.fluxcd.io";

fn flux(object: &Object, world: &World) -> Option<GitSource> {
    let by = |group, kind| flux_unit(object, world, group, kind);
    by(KUSTOMIZE, "Kustomization").or_else(|| by(HELM, "HelmRelease"))
}

fn flux_unit(object: &Object, world: &World, group: &str, kind: &str) -> Option<GitSource> {
    let name = object.label(&format!("{group}/name"))?;
    let namespace = object.label(&format!("{group}/namespace"));
    let key = ObjectKey {
        kind: GroupKind::new(group, kind),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let qualified = match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    };
    let place = world.get(&key).and_then(|unit| match group {
        // A HelmRelease is written in git with its values: that is where they are changed.
        HELM => flux_unit(unit, world, KUSTOMIZE, "Kustomization")
            .and_then(|above| above.places.into_iter().next())
            .or_else(|| helm_place(unit, world)),
        _ => flux_place(
            unit,
            unit.at("/spec/sourceRef")?,
            within("path", unit.text("/spec/path")),
            world,
        ),
    });
    Some(GitSource {
        tool: "Flux",
        unit: format!("{kind} {qualified}"),
        places: place.into_iter().collect(),
    })
}

/// The chart of a HelmRelease that somebody applied by hand.
fn helm_place(unit: &Object, world: &World) -> Option<GitPlace> {
    let chart = within("chart", unit.text("/spec/chart/spec/chart"));
    let reference = unit.at("/spec/chart/spec/sourceRef");
    flux_place(
        unit,
        reference.or_else(|| unit.at("/spec/chartRef"))?,
        chart,
        world,
    )
}

fn flux_place(
    unit: &Object,
    reference: &Value,
    within: Option<String>,
    world: &World,
) -> Option<GitPlace> {
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    let key = ObjectKey {
        kind: GroupKind::new(SOURCE, text("kind")?),
        namespace: text("namespace")
            .map(str::to_owned)
            .or_else(|| unit.key.namespace.clone()),
        name: text("name")?.to_owned(),
    };
    let Some(source) = world.get(&key) else {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        return Some(GitPlace {
            repository: format!("{} {namespace}/{}", key.kind.kind, key.name),
            within,
            revision: None,
        });
    };
    let revision = ["branch", "tag", "semver", "name", "commit"]
        .iter()
        .find_map(|field| source.text(&format!("/spec/ref/{field}")));
    Some(GitPlace {
        repository: without_user(source.text("/spec/url")?),
        within,
        revision: revision.map(str::to_owned),
    })
}

/// `path apps/shop`, unless nothing is said.
fn within(what: &str, text: Option<impl std::fmt::Display>) -> Option<String> {
    text.map(|text| format!("{what} {text}"))
}

/// `https://user:password@host/path?token=…` without the user, but for one of ssh who has no password,
/// and without what stands behind the path. A token may be the user, and a password may hold a `/`.
fn without_user(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let is_cut = port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit()));
    let user = if authority.contains('@') {
        authority.rfind('@')
    } else {
        rest.rfind('@').filter(|_| is_cut)
    };
    let is_ssh = scheme.is_empty() || scheme.contains("ssh");
    let shown = match user {
        Some(at) if !is_ssh || rest[..at].contains([':', '/']) => &rest[at + 1..],
        _ => rest,
    };
    format!("{scheme}{shown}")
}

impl std::fmt::Display for GitSource {
    /// `Argo CD Application shop applies it from https://…, path apps/shop, revision main`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} applies it", self.tool, self.unit)?;
        for (index, place) in self.places.iter().enumerate() {
            let word = if index == 0 { "from" } else { "and from" };
            write!(f, " {word} {}", place.repository)?;
            if let Some(within) = &place.within {
                write!(f, ", {within}")?;
            }
            if let Some(revision) = &place.revision {
                write!(f, ", revision {revision}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::without_user;

    #[test]
    fn no_password_is_shown() {
        for (url, expect) in [
            (
                "https://u:p@git.example/shop.git",
                "https://git.example/shop.git",
            ),
            ("HTTPS://token@git.example/shop", "HTTPS://git.example/shop"),
            (
                "git+https://u:p@git.example/shop",
                "git+https://git.example/shop",
            ),
            (
                "oci://u:p@registry.example/shop",
                "oci://registry.example/shop",
            ),
            (
                "https://u:pa/ss@git.example/shop",
                "https://git.example/shop",
            ),
            (
                "https://git.example/shop?access_token=t",
                "https://git.example/shop",
            ),
            ("https://git.example/shop#t", "https://git.example/shop"),
            (
                "https://git.example:8443/@scope/shop",
                "https://git.example:8443/@scope/shop",
            ),
            ("ssh://u:p@git.example/shop", "ssh://git.example/shop"),
            (
                "ssh://git@git.example:22/shop",
                "ssh://git@git.example:22/shop",
            ),
            (
                "git@git.example:team/shop.git",
                "git@git.example:team/shop.git",
            ),
            ("u:p@git.example:team/shop.git", "git.example:team/shop.git"),
        ] {
            assert_eq!(without_user(url), expect, "{url}");
        }
    }
}

//! What a release needs if it is resumed, by what it comes to say of images in the end.

use serde_json::Value;
use underpin_model::{Evidence, Object, ObjectKey};
use underpin_refs::{
    ImageMention, ImageReplacement, ImageRole, images_of_release, is_helm_release, is_suspended,
};

use crate::{
    reference::{Host, Location, Reference},
    registry::{Reading, Registry},
    root::{Root, RootKind, Target},
    roots::{RootSettings, UnknownNeed, kind, targets},
};

/// What a release says that it needs.
#[derive(Clone, Debug, Default)]
pub struct ReleaseNeeds {
    /// The images. Those with [`RootKind::Secret`] are not to be shown before [`without_secrets`].
    pub roots: Vec<Root>,
    /// What cannot be told.
    pub unknown: Vec<UnknownNeed>,
    /// What is put for images before anything is deployed, in order, each with where that is written.
    pub replacements: Vec<(ImageReplacement, Evidence)>,
    /// An artifact that holds its chart or manifests.
    pub artifact: Option<ObjectKey>,
}

/// What a release says that it needs. `defaults` are the values that its chart brings, where they are
/// known.
pub fn release_needs(
    release: &Object,
    settings: RootSettings<'_>,
    defaults: Option<&Value>,
) -> ReleaseNeeds {
    let said = images_of_release(release, settings.sources, defaults);
    let mut needs = ReleaseNeeds {
        artifact: said.artifact,
        ..ReleaseNeeds::default()
    };
    for mention in said.mentions {
        match targets(&mention) {
            Ok(targets) => needs.roots.extend(targets.into_iter().map(|target| Root {
                kind: kind(mention.role, release),
                source: settings.source.clone(),
                evidence: mention.evidence.clone(),
                target,
            })),
            Err(reason) => {
                let need = UnknownNeed::new(mention.evidence, reason);
                needs.unknown.push(need);
            }
        }
    }
    let replacements = said.replacements.into_iter().map(|one| {
        let evidence = release.evidence(one.path.clone(), String::new());
        (one, evidence)
    });
    needs.replacements = replacements.collect();
    needs
}

/// Puts what is to be put for images. What is put for an image that nothing names may be meant for one
/// that nobody has seen, and is needed as it is.
pub fn replace_images(release: &Object, settings: RootSettings<'_>, needs: &mut ReleaseNeeds) {
    for (replacement, evidence) in std::mem::take(&mut needs.replacements) {
        let mut is_used = false;
        for root in &mut needs.roots {
            if let Some(target) = replaced(&root.target, &replacement) {
                is_used = true;
                root.target = target;
                root.evidence.note = format!("by {} of {}", evidence.path, evidence.object);
            }
        }
        if is_used {
            continue;
        }
        let suspended = is_suspended(release);
        let role = if is_helm_release(&release.key.kind) {
            ImageRole::HelmRelease { suspended }
        } else {
            ImageRole::Kustomization { suspended }
        };
        let mention = ImageMention {
            evidence: evidence.clone(),
            role,
            name: replacement.image(),
        };
        // A name that is put is whole: nothing comes before it.
        let first = targets(&mention).unwrap_or_default().into_iter().next();
        needs.roots.extend(first.map(|target| Root {
            kind: kind(role, release),
            source: settings.source.clone(),
            evidence,
            target,
        }));
    }
}

/// What a replacement makes of an image; `None` where it means another one.
fn replaced(target: &Target, replacement: &ImageReplacement) -> Option<Target> {
    let meant: Location = replacement.name.parse().ok()?;
    let (tag, digest) = match target {
        Target::Image(reference) if reference.location == meant => {
            let tag = reference.tag.as_ref().map(ToString::to_string);
            let digest = reference.digest.as_ref().map(ToString::to_string);
            (tag, digest)
        }
        Target::Pattern {
            host: Some(host),
            repository,
            tag,
        } if *host == meant.host && repository.literal() == Some(meant.repository.as_str()) => {
            let tag = tag.literal().map(str::to_owned);
            let is_new = replacement.new_tag.is_some() || replacement.digest.is_some();
            if tag.is_none() && !is_new {
                return None;
            }
            (tag, None)
        }
        _ => return None,
    };
    let (tag, digest) = replacement.tag_and_digest(tag.as_deref(), digest.as_deref());
    let name = replacement.new_name.as_ref().unwrap_or(&replacement.name);
    let tag = tag.map_or(String::new(), |tag| format!(":{tag}"));
    let digest = digest.map_or(String::new(), |digest| format!("@{digest}"));
    let text = format!("{name}{tag}{digest}");
    Some(match text.parse::<Reference>() {
        Ok(reference) => Target::Image(reference),
        Err(error) => Target::unreadable(&text, &error),
    })
}

/// Drops what Secrets name and is not known from elsewhere: of it, nothing may be shown, and it is said
/// instead that it is not known. What the registry lists is no secret.
pub fn without_secrets(registry: &Registry, needs: &mut ReleaseNeeds) {
    let roots = std::mem::take(&mut needs.roots);
    for root in roots {
        if root.kind != RootKind::Secret || is_listed(registry, &root.target) {
            needs.roots.push(root);
        } else if may_be_of(registry, &root.target) {
            let reason = "a Secret is a part of the name of the image, and the registry lists none of \
                          that name, which is not shown";
            let need = UnknownNeed::new(root.evidence, reason);
            if !needs.unknown.contains(&need) {
                needs.unknown.push(need);
            }
        }
    }
}

fn is_listed(registry: &Registry, target: &Target) -> bool {
    let Target::Image(reference) = target else {
        return false;
    };
    let Some(read) = registry.repositories.get(&reference.location.repository) else {
        return false;
    };
    let tag = reference.tag.clone().or_else(|| reference.pulled_tag());
    let has_tag = tag.is_none_or(|tag| registry.listed_tag(read, &tag).is_some());
    let is_there =
        |reading: Option<&Reading<_>>| reading.is_some_and(|one| one.present().is_some());
    let digest = reference.digest.as_ref();
    let has_digest = digest.is_none_or(|digest| is_there(read.manifests.get(digest)));
    registry.is_named(&reference.location.host) && has_tag && has_digest
}

/// Whether something is looked for in this registry.
fn may_be_of(registry: &Registry, target: &Target) -> bool {
    let is_named = |host: &Host| registry.is_named(host);
    match target {
        Target::Image(reference) => is_named(&reference.location.host),
        Target::Policy(location, _) => is_named(&location.host),
        Target::Pattern {
            host, repository, ..
        } => {
            // A chart may put a registry before a name that has none.
            let mut paths = registry.repositories.keys();
            host.as_ref().map_or_else(
                || paths.any(|path| repository.matches(path.as_str())),
                is_named,
            )
        }
        Target::Digest(_) | Target::Unreadable { .. } => true,
        Target::Pin(_) => false,
    }
}

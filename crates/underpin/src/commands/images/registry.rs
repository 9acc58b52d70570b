//! The registry, asked.

use std::collections::{BTreeMap, BTreeSet};

use underpin_image::{
    Digest, Host, Pin, PinTarget, Reference, Registry, RepositoryPath, Root, RunRecord, Target,
};
use underpin_registry::{
    Api, Capabilities, Client, ClientOptions, Counts, CredentialStores, Credentials, ManifestCache,
    ReadOptions, Scope,
};
use underpin_source::images_file::RegistryType;

use super::{setting::RegistrySetting, state::State};
use crate::error::CommandError;

/// A registry as it was read, and what that took.
pub(super) struct ReadRegistry {
    pub(super) registry: Registry,
    pub(super) counts: Counts,
}

/// A client of the registry.
pub(super) async fn client(setting: &RegistrySetting) -> Result<Client, CommandError> {
    let credentials = if let Some(file) = &setting.credentials {
        Credentials::of_file(file.as_std_path()).map(Some)
    } else {
        let stores = CredentialStores::of_environment(&|name| std::env::var_os(name));
        stores.find(&setting.names.host).await
    };
    let credentials = credentials.map_err(|error| {
        CommandError::usage(
            error.to_string(),
            "name a file whose first line is USER:PASSWORD with --credentials",
        )
    })?;
    let options = ClientOptions {
        address: setting.address.clone(),
        credentials,
        authorities: setting
            .certificates
            .as_ref()
            .map(|path| path.clone().into()),
    };
    Client::new(options).map_err(|error| {
        CommandError::usage(
            error.to_string(),
            "name a file of certificates in PEM under `registry.certificates`",
        )
    })
}

/// Digests that no list need have, by repository.
type Known = BTreeMap<RepositoryPath, BTreeSet<Digest>>;

/// Reads the registry; of what has no tag, what is known of it.
pub(super) async fn read(
    setting: &RegistrySetting,
    state: &State,
    known: Known,
) -> Result<ReadRegistry, CommandError> {
    let client = client(setting).await?;
    let unusable = |source| CommandError::Io {
        what: format!("cannot use the folder {}", state.folder()),
        source,
    };
    let folder = state.folder().as_std_path();
    let capabilities = Capabilities::remembered(folder, client.host()).map_err(unusable)?;
    let cache = ManifestCache::open(state.manifests().as_std_path()).map_err(unusable)?;
    let options = ReadOptions {
        scope: scope(setting),
        known,
        api: api(setting),
        owners: setting.owners.iter().cloned().collect(),
        deletion: capabilities.map(|capabilities| capabilities.deletion()),
        cache: Some(cache),
        ..ReadOptions::default()
    };
    let mut registry = underpin_registry::read(&client, &options).await;
    registry.aliases.clone_from(&setting.names.aliases);
    Ok(ReadRegistry {
        registry,
        counts: client.counts(),
    })
}

/// Reads what releases need, with everything that it is made of, and nothing else where that can be told.
/// Whether a repository is managed makes no difference: it is pulled from all the same.
pub(super) async fn read_needed(
    setting: &RegistrySetting,
    roots: &[Root],
) -> Result<(Client, Registry), CommandError> {
    let client = client(setting).await?;
    let options = ReadOptions {
        scope: needed(setting, roots).map_or_else(|| scope(setting), Scope::These),
        known: named_digests(setting, roots),
        api: api(setting),
        owners: setting.owners.iter().cloned().collect(),
        referrers: false,
        ..ReadOptions::default()
    };
    let mut registry = underpin_registry::read(&client, &options).await;
    registry.aliases.clone_from(&setting.names.aliases);
    Ok((client, registry))
}

/// The repositories that are named; none where a name is not known as a whole.
fn needed(setting: &RegistrySetting, roots: &[Root]) -> Option<BTreeSet<RepositoryPath>> {
    let is_ours = |host: &Host| setting.names.is_named(host);
    let mut paths = BTreeSet::new();
    for root in roots {
        match &root.target {
            Target::Image(reference) if is_ours(&reference.location.host) => {
                paths.insert(reference.location.repository.clone());
            }
            Target::Policy(location, _) if is_ours(&location.host) => {
                paths.insert(location.repository.clone());
            }
            Target::Pattern {
                host, repository, ..
            } if host.as_ref().is_none_or(is_ours) => {
                let path = repository.literal().map(RepositoryPath::new);
                paths.insert(path?.ok()?);
            }
            Target::Digest(_) => return None,
            _ => {}
        }
    }
    Some(paths)
}

/// What is asked for its API.
pub(super) fn api(setting: &RegistrySetting) -> Api {
    match setting.kind {
        None => Api::Detect,
        Some(RegistryType::Distribution) => Api::Distribution,
        Some(RegistryType::Gitea) => Api::Gitea,
    }
}

fn scope(setting: &RegistrySetting) -> Scope {
    if !setting.repositories.is_empty() {
        Scope::These(setting.repositories.clone())
    } else if setting.prefixes.is_empty() {
        Scope::All
    } else {
        Scope::Prefixes(setting.prefixes.clone())
    }
}

/// Digests that no list need have: those that roots name, and that earlier runs have seen.
pub(super) fn known<'r>(
    setting: &RegistrySetting,
    roots: impl IntoIterator<Item = &'r Root>,
    record: Option<&RunRecord>,
) -> Known {
    let mut known = named_digests(setting, roots);
    for (path, seen) in record.iter().flat_map(|record| &record.repositories) {
        let of = known.entry(path.clone()).or_default();
        of.extend(seen.manifests.keys().cloned());
    }
    known.retain(|path, _| setting.manages(path));
    known
}

/// Digests that roots name, pins among them.
fn named_digests<'r>(
    setting: &RegistrySetting,
    roots: impl IntoIterator<Item = &'r Root>,
) -> Known {
    let mut known = Known::new();
    for root in roots {
        let named = match &root.target {
            Target::Image(Reference {
                location,
                digest: Some(digest),
                ..
            }) if setting.names.is_named(&location.host) => {
                Some((location.repository.clone(), digest))
            }
            Target::Pin(Pin {
                target: PinTarget::Digest { repository, digest },
                ..
            }) => {
                // Of a pattern, nobody knows before which repositories there are.
                let path = repository.literal().map(RepositoryPath::new);
                path.and_then(Result::ok).zip(Some(digest))
            }
            _ => None,
        };
        if let Some((path, digest)) = named {
            known.entry(path).or_default().insert(digest.clone());
        }
    }
    known
}

//! Where built components are kept: outside the repository, one folder per recipe.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::build::RECIPE;

/// Hexadecimal digits of the recipe's hash in a folder name.
const KEY_DIGITS: usize = 12;

/// The cache's root: `$UNDERPIN_CACHE`, else `$XDG_CACHE_HOME/underpin`, else
/// `$HOME/.cache/underpin`.
///
/// Fails when none of the three variables is set.
pub fn root() -> Result<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("UNDERPIN_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|home| home.join("underpin")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/underpin")))
        .context("no cache folder: set UNDERPIN_CACHE (or HOME)")
}

/// The folder of all control plane builds.
pub fn control_planes() -> Result<PathBuf> {
    Ok(root()?.join("control-plane"))
}

/// The folder of the build that today's recipe makes on this architecture. It exists only when
/// the build is complete: it is renamed into place.
pub fn current() -> Result<PathBuf> {
    Ok(control_planes()?.join(key()))
}

/// Version, architecture and a hash of all that decides what comes out.
pub fn key() -> String {
    let mut hash = Sha256::new();
    for part in RECIPE {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    // Formatted as numbers: eight bytes are more digits than the key takes.
    let head = hash
        .finalize()
        .iter()
        .take(8)
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let digest = format!("{head:016x}");
    let version = crate::build::KUBERNETES_VERSION;
    format!("{version}-{}-{}", env::consts::ARCH, &digest[..KEY_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn the_key_names_version_and_architecture_and_is_stable() {
        let first = key();
        assert!(first.starts_with("v1.20.2-"), "{first}");
        assert!(first.contains(std::env::consts::ARCH), "{first}");
        assert_eq!(first, key());
    }
}

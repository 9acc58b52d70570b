//! Manifests that were read before: a folder of their bytes, each named by its digest.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use underpin_image::{Digest, MANIFEST_LIMIT};

/// Digits of a hash that name the folder that its file is in.
const FOLDER_DIGITS: usize = 2;

/// A folder of manifests. What is in it is believed only as far as its bytes have its name: it may be
/// deleted, or shared by runs at the same time.
#[derive(Clone, Debug)]
pub struct ManifestCache {
    folder: PathBuf,
}

impl ManifestCache {
    /// The cache in a folder, which is made if it is not there.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let encoded = digest.encoded();
        let folder = self.folder.join(digest.algorithm());
        folder.join(&encoded[..FOLDER_DIGITS]).join(encoded)
    }

    /// The bytes of a manifest, if they are kept whole.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let file = fs::File::open(self.path(digest)).ok()?;
        let mut bytes = Vec::new();
        let limit = MANIFEST_LIMIT as u64 + 1;
        file.take(limit).read_to_end(&mut bytes).ok()?;
        digest.is_of(&bytes).then_some(bytes)
    }

    /// Keeps the bytes of a manifest. What cannot be kept is read from the registry again.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        // Not synced: bytes that were cut do not have their digest.
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_have_its_name_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ManifestCache::open(&folder.path().join("manifests")).unwrap();
        let digest = Digest::of(b"{}");
        assert_eq!(cache.get(&digest), None);
        cache.put(&digest, b"{}").unwrap();
        assert_eq!(cache.get(&digest).as_deref(), Some(&b"{}"[..]));
        for odd in [&b"{"[..], b"{} ", b""] {
            fs::write(cache.path(&digest), odd).unwrap();
            assert_eq!(cache.get(&digest), None);
        }
        cache.put(&digest, b"{}").unwrap();
        assert!(cache.get(&digest).is_some());
    }
}

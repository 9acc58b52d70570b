//! The package API of Gitea and Forgejo.
//!
//! Every tag of an image is a row of its own, and so is every manifest that was pushed by its digest,
//! such as the children of an index, under `sha256:…`. A row is deleted alone: the other tags of
//! its manifest stay. Rows say when they were made, not what they point to.

use std::collections::{BTreeMap, BTreeSet};

use ::http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use underpin_image::{Digest, Package, RepositoryPath, Tag, UnreadPart};

use crate::{
    answers::unexpected,
    auth::encoded,
    client::{Ask, Client},
};

/// The most rows that a page may have, as Gitea is configured by default.
const PER_PAGE: usize = 50;
/// Longest page.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;
/// Most pages of one owner.
const PAGES: usize = 20_000;
/// How many rows there are.
const TOTAL: &str = "x-total-count";
/// The type of packages that are images.
const CONTAINER: &str = "container";

/// What rows say of one repository.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) tags: BTreeMap<Tag, Option<Timestamp>>,
    pub(crate) digests: BTreeMap<Digest, Option<Timestamp>>,
}

/// What was read of the packages of owners.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) images: BTreeMap<RepositoryPath, Rows>,
    pub(crate) others: BTreeSet<Package>,
    pub(crate) unread: Vec<UnreadPart>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    version: String,
    created_at: Option<String>,
}

impl Client {
    /// Whether it is a Gitea or Forgejo; a reason where that could not be told.
    pub(crate) async fn is_gitea(&self) -> Result<bool, String> {
        let ask = Ask::new(Method::GET, "/api/v1/version".to_owned(), String::new());
        let answer = self.ask_plainly(&ask).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status {
            StatusCode::OK => {
                let version = serde_json::from_slice::<Version>(&answer.body);
                Ok(version.is_ok_and(|it| it.version.starts_with(|c: char| c.is_ascii_digit())))
            }
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => Err(unexpected(&answer)),
            status if status.is_server_error() => Err(unexpected(&answer)),
            _ => Ok(false),
        }
    }

    /// All packages of owners, of every type.
    pub(crate) async fn packages(&self, owners: &BTreeSet<String>) -> Packages {
        let mut packages = Packages::default();
        for owner in owners {
            self.packages_of(owner, &mut packages).await;
        }
        packages
    }

    async fn packages_of(&self, owner: &str, packages: &mut Packages) {
        let mut rows = BTreeSet::new();
        let cut = |number: usize, reason: String| UnreadPart {
            what: format!("page {number} of the packages of {owner}"),
            reason,
        };
        for number in 1..=PAGES {
            let (page, total) = match self.package_page(owner, number).await {
                Ok(page) => page,
                Err(reason) => return packages.unread.push(cut(number, reason)),
            };
            if page.is_empty() {
                if total.is_some_and(|total| total > rows.len()) {
                    let (total, read) = (total.unwrap_or_default(), rows.len());
                    let reason = format!("it is the last one, and {read} of {total} were listed");
                    packages.unread.push(cut(number, reason));
                }
                return;
            }
            let before = rows.len();
            for row in page {
                if rows.insert(row.id) {
                    packages.add(owner, row);
                }
            }
            if rows.len() == before {
                let reason = "it repeats what earlier pages held";
                return packages.unread.push(cut(number, reason.to_owned()));
            }
        }
        let reason = "there are still more pages";
        packages.unread.push(cut(PAGES, reason.to_owned()));
    }

    async fn package_page(
        &self,
        owner: &str,
        number: usize,
    ) -> Result<(Vec<Row>, Option<usize>), String> {
        let owner = encoded(owner);
        let path = format!("/api/v1/packages/{owner}?page={number}&limit={PER_PAGE}");
        let mut ask = Ask::new(Method::GET, path, String::new());
        ask.limit = PAGE_LIMIT;
        let answer = self.ask_plainly(&ask).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(unexpected(&answer));
        }
        let total = answer.header(TOTAL).and_then(|text| text.parse().ok());
        let rows = serde_json::from_slice(&answer.body);
        let rows = rows.map_err(|_| "the answer is no list of packages".to_owned())?;
        Ok((rows, total))
    }
}

impl Packages {
    fn add(&mut self, owner: &str, row: Row) {
        if row.kind != CONTAINER {
            self.others.insert(Package {
                kind: row.kind,
                name: row.name,
                version: row.version,
            });
            return;
        }
        // Gitea takes letters of both cases for one, and its registry lists the lower one.
        let path = format!("{owner}/{}", row.name).to_ascii_lowercase();
        let made = row.created_at.and_then(|text| text.parse().ok());
        let odd = |reason: String| UnreadPart {
            what: format!("a package of {owner}"),
            reason,
        };
        let path = match RepositoryPath::new(&path) {
            Ok(path) => path,
            Err(error) => return self.unread.push(odd(error.to_string())),
        };
        let rows = self.images.entry(path).or_default();
        if let Ok(digest) = row.version.parse() {
            rows.digests.insert(digest, made);
            return;
        }
        match Tag::new(&row.version.to_ascii_lowercase()) {
            Ok(tag) => {
                rows.tags.insert(tag, made);
            }
            Err(error) => self.unread.push(odd(error.to_string())),
        }
    }
}

/// Where one row of an image is: its tag, or its digest. Without a version the address would be that of
/// the whole package; both of these types hold something.
pub(crate) fn row_path(repository: &RepositoryPath, version: &str) -> Option<String> {
    let (owner, name) = repository.as_str().split_once('/')?;
    let (owner, name, version) = (encoded(owner), encoded(name), encoded(version));
    (!version.is_empty()).then(|| format!("/api/v1/packages/{owner}/{CONTAINER}/{name}/{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address of a package is a prefix of that of its versions: nothing must cut it short.
    #[test]
    fn a_row_is_never_the_whole_package() {
        let path = RepositoryPath::new("team/cms/web").unwrap();
        let row = |version: &str| row_path(&path, version);
        let staging = "/api/v1/packages/team/container/cms%2Fweb/staging";
        assert_eq!(row("staging").as_deref(), Some(staging));
        let digest = Digest::of(b"x");
        let expect = format!(
            "/api/v1/packages/team/container/cms%2Fweb/sha256%3A{}",
            digest.encoded()
        );
        assert_eq!(row(digest.as_str()), Some(expect));
        assert_eq!(row(""), None);
        assert_eq!(row_path(&RepositoryPath::new("web").unwrap(), "a"), None);
    }
}

//! Lists of registries, page by page. A list either ends, or is known not to have been read whole.

use std::collections::BTreeSet;

use ::http::{Method, StatusCode, header};
use serde_json::Value;
use underpin_image::{Digest, RepositoryPath, Tag, UnreadPart};

use crate::{
    answers::{is_absent, is_unsupported, unexpected},
    client::{Ask, Client, pull},
    http::Answer,
    link::next_link,
    manifests::accept,
};

/// Longest page.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;
/// Most pages of one list.
const PAGES: usize = 10_000;
/// Most entries of one list.
const ENTRIES: usize = 500_000;
/// Most pages in a row that hold nothing, and say that there is more.
const EMPTY_PAGES: usize = 3;
/// How many entries of a page are asked for.
const PER_PAGE: usize = 1000;

/// What was read of a list.
#[derive(Debug, Default)]
pub(crate) struct Listed<T: Ord> {
    pub(crate) entries: BTreeSet<T>,
    /// What was not read; empty where all of it was.
    pub(crate) unread: Vec<UnreadPart>,
    /// Whether the registry said that there is no such thing to list.
    pub(crate) is_absent: bool,
}

/// A list: what it is called, and where its names are in a page.
struct List<'a> {
    /// `the tags of team/web`.
    name: String,
    path: String,
    scope: String,
    names: &'a (dyn Fn(&Value) -> Option<Vec<String>> + Send + Sync),
}

impl Client {
    /// Every repository.
    pub(crate) async fn repositories(&self) -> Listed<RepositoryPath> {
        let list = List {
            name: "the repositories".to_owned(),
            path: format!("/v2/_catalog?n={PER_PAGE}"),
            scope: "registry:catalog:*".to_owned(),
            names: &|page| texts(page.get("repositories")?),
        };
        let pages = self.pages(&list).await;
        typed(pages, &list.name, |text| {
            RepositoryPath::new(text).map_err(|error| error.to_string())
        })
    }

    /// The tags of a repository.
    pub(crate) async fn tags(&self, repository: &RepositoryPath) -> Listed<Tag> {
        let list = List {
            name: format!("the tags of {repository}"),
            path: format!("/v2/{repository}/tags/list?n={PER_PAGE}"),
            scope: pull(repository),
            names: &|page| texts(page.get("tags")?),
        };
        let pages = self.pages(&list).await;
        typed(pages, &list.name, |text| {
            Tag::new(text).map_err(|error| error.to_string())
        })
    }

    /// What says something of a manifest; absent where the registry keeps no such list.
    pub(crate) async fn referrers(
        &self,
        repository: &RepositoryPath,
        digest: &Digest,
    ) -> Listed<Digest> {
        let list = List {
            name: format!("what refers to {repository}@{digest}"),
            path: format!("/v2/{repository}/referrers/{digest}"),
            scope: pull(repository),
            names: &|page| {
                let all = page.get("manifests")?.as_array()?.iter();
                all.map(|one| Some(one.get("digest")?.as_str()?.to_owned()))
                    .collect()
            },
        };
        let pages = self.pages(&list).await;
        typed(pages, &list.name, |text| {
            text.parse::<Digest>().map_err(|error| error.to_string())
        })
    }

    async fn pages(&self, list: &List<'_>) -> Listed<String> {
        let mut listed = Listed::default();
        let mut path = list.path.clone();
        let mut seen = BTreeSet::from([path.clone()]);
        let mut empty = 0;
        for number in 1..=PAGES {
            let mut ask = Ask::new(Method::GET, path, list.scope.clone());
            ask.limit = PAGE_LIMIT;
            ask.accept = accept().filter(|_| list.path.contains("/referrers/"));
            let answer = match self.ask(&ask).await {
                Ok(answer) => answer,
                Err(error) => return listed.cut(list, number, error.to_string()),
            };
            if number == 1 && is_missing(list, &answer) {
                listed.is_absent = true;
                return listed;
            }
            let (names, next) = match page(list, &answer) {
                Ok(page) => page,
                Err(reason) => return listed.cut(list, number, reason),
            };
            let before = listed.entries.len();
            let is_empty = names.is_empty();
            listed.entries.extend(names);
            if listed.entries.len() > ENTRIES {
                // Each would be asked for: of a list that does not end, none is.
                listed.entries.clear();
                return listed.cut(list, number, format!("there are more than {ENTRIES}"));
            }
            let Some(next) = next else {
                return listed;
            };
            empty = if is_empty { empty + 1 } else { 0 };
            let problem = if route(&next) != route(&list.path) {
                Some("the link to the next page leads to something else")
            } else if !seen.insert(next.clone()) {
                Some("the next page would be one that was read already")
            } else if !is_empty && listed.entries.len() == before {
                Some("it repeats what earlier pages held, and says that there is more")
            } else if empty > EMPTY_PAGES {
                Some("page after page is empty, and says that there is more")
            } else {
                None
            };
            if let Some(problem) = problem {
                return listed.cut(list, number, problem.to_owned());
            }
            path = next;
        }
        listed.cut(list, PAGES, "there are still more pages".to_owned())
    }
}

impl Listed<String> {
    fn cut(mut self, list: &List<'_>, number: usize, reason: String) -> Self {
        self.unread.push(UnreadPart {
            what: format!("page {number} of {}", list.name),
            reason,
        });
        self
    }
}

fn is_missing(list: &List<'_>, answer: &Answer) -> bool {
    // Who keeps lists of referrers answers with an empty one where there are none.
    if list.path.contains("/referrers/") {
        return is_unsupported(answer);
    }
    is_absent(answer)
}

/// The part of an address before its query.
fn route(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

fn page(list: &List<'_>, answer: &Answer) -> Result<(Vec<String>, Option<String>), String> {
    if answer.status != StatusCode::OK {
        return Err(unexpected(answer));
    }
    let odd = || "the answer is no such list".to_owned();
    let page: Value = serde_json::from_slice(&answer.body).map_err(|_| odd())?;
    let names = (list.names)(&page).ok_or_else(odd)?;
    let links = answer.headers.get_all(header::LINK).iter();
    let links: Option<Vec<&str>> = links.map(|link| link.to_str().ok()).collect();
    let links = links.ok_or("its `Link` header cannot be read")?;
    Ok((names, next_link(&links.join(", "))?))
}

/// A list of texts; registries write an empty one as `null`.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        value => {
            let items = value.as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        }
    }
}

/// The entries as what they are. One that cannot be such a thing was not understood.
fn typed<T: Ord>(
    listed: Listed<String>,
    name: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Listed<T> {
    let mut typed = Listed {
        entries: BTreeSet::new(),
        unread: listed.unread,
        is_absent: listed.is_absent,
    };
    for text in &listed.entries {
        match read(text) {
            Ok(entry) => {
                typed.entries.insert(entry);
            }
            Err(reason) => typed.unread.push(UnreadPart {
                what: format!("an entry of {name}"),
                reason,
            }),
        }
    }
    typed
}

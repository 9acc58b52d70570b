//! Registries that lie, stall, ask who somebody is, or say too much.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use support::{
    client, client_as,
    memory::{Flavor, Image, Memory},
    path,
    server::{Server, Told},
    tokens::with_tokens,
    told,
};
use underpin_image::{Digest, MANIFEST_LIMIT, Reading, Registry};
use underpin_registry::{Api, Client, Credentials, ReadOptions, Scope, read};

fn options() -> ReadOptions {
    ReadOptions {
        api: Api::Distribution,
        ..ReadOptions::default()
    }
}

/// `web` alone, of which nothing but its tags and manifests is asked for.
fn web() -> ReadOptions {
    ReadOptions {
        scope: Scope::These(BTreeSet::from([path("web")])),
        referrers: false,
        ..options()
    }
}

/// An index with two children under two tags, and an image, on pages of two entries.
fn filled(flavor: Flavor) -> (Arc<Memory>, BTreeMap<Digest, String>) {
    let memory = Memory::with_pages(flavor, 2);
    let [a, b, other] = ["a", "b", "other"].map(Image::named);
    let index = Image::index(&[&a, &b]);
    let signature = Image::about("signature", Some(&index));
    for repository in ["web", "api", "zero"] {
        memory.push(repository, &[], &a);
        memory.push(repository, &[], &b);
        memory.push(repository, &["1.0.0", "staging", "latest"], &index);
        memory.push(repository, &["2.0.0", "2.0.1"], &other);
        memory.push(repository, &[], &signature);
    }
    let all = [
        ("a", a),
        ("b", b),
        ("other", other),
        ("index", index),
        ("signature", signature),
    ];
    let names = all.map(|(name, image)| (image.digest, name.to_owned()));
    (memory, BTreeMap::from(names))
}

/// R4.3: whatever request fails, and however it does: it is told, and nothing that was not read is absent.
#[tokio::test]
async fn r4_3_whatever_request_fails_is_told_and_nothing_is_absent_for_it() {
    let (memory, names) = filled(Flavor::Modern);
    let whole = read_through(&memory, usize::MAX, || Told::new(200, "")).await;
    let expect = told(&whole.0, &names);
    assert!(!expect.contains("unread") && expect.contains("signature: Image [] index"));
    let number = whole.1;
    assert!(number > 40, "{number}");
    let html = "<html>not found</html>";
    for at in 0..number {
        for fault in [
            Told::new(404, html).with("content-type", "text/html"),
            Told::error(403, "DENIED"),
            Told::new(200, "[]"),
            Told::new(507, ""),
        ] {
            let (registry, _) = read_through(&memory, at, || fault.clone()).await;
            let found = told(&registry, &names);
            let is_told = found.contains("unread");
            // A HEAD that is odd is asked again by GET.
            let is_mended = found == expect && matches!(fault.status, 404 | 200);
            assert!(is_told || is_mended, "{at} {}: {found}", fault.status);
            assert!(!found.contains("absent"), "{at} {}: {found}", fault.status);
        }
    }
}

/// Reads it with one answer replaced; how many there were.
async fn read_through(
    memory: &Arc<Memory>,
    at: usize,
    fault: impl Fn() -> Told + Send + Sync,
) -> (Registry, usize) {
    let number = Arc::new(AtomicUsize::new(0));
    let (counted, memory, fault) = (Arc::clone(&number), Arc::clone(memory), fault());
    let server = Server::start(move |asked| {
        if counted.fetch_add(1, Ordering::SeqCst) == at {
            return fault.clone();
        }
        memory.answer(asked)
    })
    .await;
    let registry = read(&client(&server.host), &options()).await;
    (registry, number.load(Ordering::SeqCst))
}

/// Bad input: lists that do not end.
#[tokio::test]
async fn lists_that_do_not_end_are_told() {
    async fn check(next: impl Fn(usize) -> (String, String) + Send + Sync + 'static, expect: &str) {
        let number = AtomicUsize::new(0);
        let server = Server::start(move |asked| {
            assert!(asked.path.ends_with("/tags/list"), "{}", asked.path);
            let (tags, link) = next(number.fetch_add(1, Ordering::SeqCst));
            Told::new(200, format!(r#"{{"tags":[{tags}]}}"#)).with("link", link)
        })
        .await;
        let mut web = web();
        // Tags are not looked at here.
        web.scope = Scope::These(BTreeSet::from([path("web")]));
        let client = client(&server.host);
        let registry = read_list_alone(&client, &web).await;
        assert_eq!(registry, expect);
    }
    let link = |query: &str| format!("</v2/web/tags/list?{query}>; rel=\"next\"");
    let again = "the next page would be one that was read already";
    check(
        move |_| (String::new(), link("n=1000")),
        &format!("page 1 of the tags of web: {again}"),
    )
    .await;
    check(
        move |number| (String::new(), link(&format!("a={}", number % 2))),
        &format!("page 3 of the tags of web: {again}"),
    )
    .await;
    check(
        move |number| (String::new(), link(&format!("a={number}"))),
        "page 4 of the tags of web: page after page is empty, and says that there is more",
    )
    .await;
    check(
        move |_| (String::new(), "</v2/other/tags/list>; rel=next".to_owned()),
        "page 1 of the tags of web: the link to the next page leads to something else",
    )
    .await;
    check(
        move |_| (String::new(), "</v2/web/tags/list".to_owned()),
        "page 1 of the tags of web: its `Link` header cannot be read",
    )
    .await;
    check(
        move |number| {
            let tags: Vec<String> = (0..20_000)
                .map(|at| format!("\"t{}\"", number * 20_000 + at))
                .collect();
            (tags.join(","), link(&format!("a={number}")))
        },
        "page 26 of the tags of web: there are more than 500000",
    )
    .await;
}

/// What was not read of a list, without asking for its entries.
async fn read_list_alone(client: &Client, options: &ReadOptions) -> String {
    let client = client.clone();
    let options = options.clone();
    let reading = tokio::spawn(async move { read(&client, &options).await });
    let registry = tokio::time::timeout(Duration::from_mins(2), reading).await;
    let parts = registry.unwrap().unwrap().unread;
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("{}: {}", part.what, part.reason))
        .collect();
    parts.join("\n")
}

/// Bad input: wrong digests, manifests without an end, names that are none.
#[tokio::test]
async fn what_a_hostile_registry_says_is_not_believed() {
    let image = Image::named("web");
    let other = Image::named("other");
    let mut names = BTreeMap::from([(image.digest.clone(), "web".to_owned())]);
    names.insert(other.digest.clone(), "other".to_owned());
    let header = "docker-content-digest";
    let cases: [(&str, Vec<u8>, &str, String); 4] = [
        (
            "another manifest's bytes",
            other.bytes.clone(),
            "web",
            "unread: the registry answered with bytes of the digest DIGEST".to_owned(),
        ),
        (
            "another manifest's name",
            image.bytes.clone(),
            "other",
            "unread: it answers with the manifest DIGEST".to_owned(),
        ),
        (
            "a manifest without an end",
            vec![b'x'; 100 * 1024 * 1024],
            "web",
            format!("unread: the answer is longer than {MANIFEST_LIMIT} bytes"),
        ),
        (
            "no manifest",
            b"[1]".to_vec(),
            "web",
            "unread: the manifest is no JSON object".to_owned(),
        ),
    ];
    for (what, body, named, expect) in cases {
        let digests = [image.digest.to_string(), other.digest.to_string()];
        let named = digests[usize::from(named == "other")].clone();
        let tagged = digests[0].clone();
        let body = bytes::Bytes::from(body);
        let server = Server::start(move |asked| match (&*asked.method, &*asked.path) {
            (_, "/v2/web/tags/list") => Told::new(200, r#"{"tags":["a"]}"#),
            ("HEAD", _) => Told::new(200, "").with(header, &*tagged),
            _ => Told::new(200, body.clone()).with(header, &*named),
        })
        .await;
        let registry = read(&client(&server.host), &web()).await;
        let found = told(&registry, &names);
        let expect = expect.replace("DIGEST", other.digest.as_str());
        assert_eq!(found, format!("web\n  a -> web\n  web: {expect}"), "{what}");
    }
    let server = Server::start(|asked| match &*asked.path {
        "/v2/web/tags/list" => Told::new(200, r#"{"tags":["a b","-"]}"#),
        _ => Told::error(404, "MANIFEST_UNKNOWN"),
    })
    .await;
    let registry = read(&client(&server.host), &web()).await;
    let expect = "unread an entry of the tags of web: the tag holds ' '\n\
                  unread an entry of the tags of web: the tag holds '-'";
    assert_eq!(told(&registry, &names), expect);
}

/// Speed: a registry that asks for patience gets it, and the answer counts.
#[tokio::test]
async fn a_registry_that_asks_for_patience_gets_it() {
    let (memory, _) = filled(Flavor::Classic);
    let number = AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        if number.fetch_add(1, Ordering::SeqCst) == 3 {
            return Told::new(429, "").with("retry-after", "1");
        }
        memory.answer(asked)
    })
    .await;
    let client = client(&server.host);
    let begin = Instant::now();
    let registry = read(&client, &options()).await;
    assert!(registry.unread.is_empty());
    assert!(
        registry
            .repositories
            .values()
            .all(|it| it.opaque().is_none())
    );
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(client.counts().repeats, 1);
    assert_eq!(client.counts().waited, Duration::from_secs(1));
}

/// Tokens are had for what is read, once, and again when they are at their end. They go to the registry
/// and the password to where tokens are made.
#[tokio::test]
async fn tokens_are_had_and_had_again() {
    let (memory, names) = filled(Flavor::Modern);
    let server = memory.serve().await;
    let expect = told(&read(&client(&server.host), &options()).await, &names);
    let known = Credentials::password("ci", "hunter2");
    let (registry, tokens) = with_tokens(Arc::clone(&memory), usize::MAX).await;
    let found = read(&client_as(&registry.host, Some(known.clone())), &options()).await;
    assert_eq!(told(&found, &names), expect);
    // One for the catalog, one for each repository.
    assert_eq!(tokens.requests().len(), 4);
    for asked in registry.log.lock().unwrap().iter() {
        assert!(!asked.header("authorization").starts_with("Basic"));
    }
    let (registry, tokens) = with_tokens(memory, 7).await;
    let found = read(&client_as(&registry.host, Some(known)), &options()).await;
    let found = told(&found, &names);
    // Requests that are under way when the last use is made may be refused twice: that is told.
    assert!(found == expect || found.contains("(status 401)"), "{found}");
    assert!(tokens.requests().len() > 4);
    // Without, and with wrong ones, nothing is read.
    for credentials in [None, Some(Credentials::password("ci", "hunter3"))] {
        let found = read(&client_as(&registry.host, credentials), &options()).await;
        let found = told(&found, &names);
        assert!(
            found.starts_with("unread page 1 of the repositories: no token is made"),
            "{found}"
        );
        assert!(!found.contains("hunter3"));
    }
}

/// Credentials do not go where a registry sends the request, nor to where somebody could read along.
#[tokio::test]
async fn credentials_go_nowhere_else() {
    let (memory, names) = filled(Flavor::Classic);
    let elsewhere = memory.serve().await;
    let target = elsewhere.host.clone();
    let moving = Arc::clone(&memory);
    let server = Server::start(move |asked| {
        if asked.header("authorization") != "Basic Y2k6aHVudGVyMg==" {
            return Told::new(401, "").with("www-authenticate", "Basic realm=x");
        }
        if asked.path.contains("/manifests/sha256:") {
            let to = format!("http://{target}{}", asked.path);
            return Told::new(307, "").with("location", to);
        }
        moving.answer(asked)
    })
    .await;
    let known = || Some(Credentials::password("ci", "hunter2"));
    let found = read(&client_as(&server.host, known()), &options()).await;
    let expect = told(&read(&client(&elsewhere.host), &options()).await, &names);
    assert_eq!(told(&found, &names), expect);
    let log = elsewhere.log.lock().unwrap().clone();
    assert!(log.len() > 10);
    assert!(
        log.iter()
            .all(|asked| asked.header("authorization").is_empty())
    );

    for realm in [
        "http://auth.example.com/token",
        "https://u:p@auth.example.com",
        "nowhere",
    ] {
        let realm = realm.to_owned();
        let server = Server::start(move |_| {
            let asks = format!("Bearer realm=\"{realm}\"");
            Told::new(401, "").with("www-authenticate", asks)
        })
        .await;
        let found = read(&client_as(&server.host, known()), &options()).await;
        let found = told(&found, &names);
        let expect = "unread page 1 of the repositories: ";
        assert!(found.starts_with(expect), "{found}");
        let is_refused = found.contains("read along") || found.contains("no address");
        assert!(is_refused && !found.contains("hunter2"), "{found}");
    }
    for (location, expect) in [
        ("/v2/_catalog", "it redirects again and again"),
        ("ftp://x", "it redirects to no address"),
    ] {
        let server = Server::start(move |_| Told::new(302, "").with("location", location)).await;
        let found = told(&read(&client(&server.host), &options()).await, &names);
        assert_eq!(
            found,
            format!("unread page 1 of the repositories: {expect}")
        );
    }
}

/// R4.2: referrers are found by the registry's own lists, and an error is not taken for an empty one.
#[tokio::test]
async fn r4_2_referrers_that_cannot_be_listed_are_told() {
    let (memory, names) = filled(Flavor::Modern);
    let server = memory.serve().await;
    let registry = read(&client(&server.host), &options()).await;
    let web = &registry.repositories[&path("web")];
    let signature = Image::about(
        "signature",
        Some(&Image::index(&[&Image::named("a"), &Image::named("b")])),
    );
    assert!(web.manifests[&signature.digest].present().is_some());
    for status in [401, 403, 500] {
        let memory = Arc::clone(&memory);
        let server = Server::start(move |asked| {
            if asked.path.contains("/referrers/") {
                return Told::new(status, "");
            }
            memory.answer(asked)
        })
        .await;
        let registry = read(&client(&server.host), &options()).await;
        let found = told(&registry, &names);
        assert!(
            found.contains("unread page 1 of what refers to "),
            "{status}: {found}"
        );
    }
}

/// R4.2: that one repository has no lists of referrers says nothing of the others; and a repository that has
/// some and is said not to have others was not read.
#[tokio::test]
async fn r4_2_each_repository_has_lists_of_referrers_or_none() {
    let (memory, names) = filled(Flavor::Modern);
    let whole = memory.serve().await;
    let whole = told(&read(&client(&whole.host), &options()).await, &names);
    let without = |refused: String| {
        let memory = Arc::clone(&memory);
        Server::start(move |asked| {
            if asked.path.contains(&refused) {
                return Told::error(404, "NOT_FOUND");
            }
            memory.answer(asked)
        })
    };
    // The first one that is asked.
    let server = without("/api/referrers/".to_owned()).await;
    let found = told(&read(&client(&server.host), &options()).await, &names);
    let (api, rest) = whole.split_once("web\n").unwrap();
    let signature = "  signature: Image [] index\n";
    let api = api.replacen(signature, "", 1);
    assert_eq!(found, format!("{api}web\n{rest}"));
    let index = Image::index(&[&Image::named("a"), &Image::named("b")]);
    let server = without(format!("/web/referrers/{}", index.digest)).await;
    let found = told(&read(&client(&server.host), &options()).await, &names);
    let expect = format!("unread what refers to web@{}: ", index.digest);
    assert!(found.contains(&expect), "{found}");
}

/// R4.6: the rows of the stand-in for Gitea, every type of package, with what has no tag.
#[tokio::test]
async fn r4_6_a_gitea_is_read_by_its_rows() {
    let memory = Memory::with_pages(Flavor::Gitea, 3);
    let [a, b, new, alone] = ["a", "b", "new", "alone"].map(Image::named);
    let index = Image::index(&[&a, &b]);
    for child in [&a, &b, &alone] {
        memory.push("team/cms/web", &[], child);
    }
    memory.push("team/cms/web", &["1.0.0", "Staging"], &index);
    memory.push("team/api", &["1.0.0"], &new);
    memory.push("others/api", &["1.0.0"], &new);
    for version in ["1.0.0", "1.1.0"] {
        memory.push_package("npm", "@team/widgets", version);
    }
    let server = memory.serve().await;
    let options = ReadOptions {
        owners: BTreeSet::from(["team".to_owned()]),
        ..ReadOptions::default()
    };
    let registry = read(&client(&server.host), &options).await;
    let all = [
        ("a", a),
        ("b", b),
        ("new", new),
        ("alone", alone),
        ("index", index),
    ];
    let names = BTreeMap::from(all.map(|(name, image)| (image.digest, name.to_owned())));
    let expect = "\
team/api
  1.0.0 -> new
  new: Image []
team/cms/web
  1.0.0 -> index
  staging -> index
  a: Image []
  alone: Image []
  b: Image []
  index: Index [a b]
npm/@team/widgets==1.0.0
npm/@team/widgets==1.1.0";
    assert_eq!(told(&registry, &names), expect);
    assert!(registry.folds_case);
    assert_eq!(registry.deletion, underpin_image::Deletion::TagsAlone);
    let web = &registry.repositories[&path("team/cms/web")];
    // The newest row of a manifest says when it was pushed.
    let pushed: Vec<String> = web.pushed.values().map(ToString::to_string).collect();
    assert_eq!(pushed.len(), 4);
    let index = names.iter().find(|(_, name)| *name == "index").unwrap().0;
    assert_eq!(web.pushed[index].to_string(), "2026-01-01T00:00:05Z");

    // R4.3: a page that is missing is told.
    let server = Server::start(move |asked| {
        if asked.parameter("page") == Some("3") {
            return Told::new(200, "[]").with("x-total-count", "8");
        }
        memory.answer(asked)
    })
    .await;
    let registry = read(&client(&server.host), &options).await;
    let found = told(&registry, &names);
    let expect =
        "unread page 3 of the packages of team: it is the last one, and 6 of 8 were listed";
    assert!(found.ends_with(expect), "{found}");
}

/// A registry whose HEAD says nothing is asked by GET.
#[tokio::test]
async fn a_head_without_a_digest_is_no_loss() {
    let (memory, names) = filled(Flavor::Classic);
    let server = memory.serve().await;
    let expect = told(&read(&client(&server.host), &web()).await, &names);
    for status in [200, 405] {
        let memory = Arc::clone(&memory);
        let server = Server::start(move |asked| {
            if asked.method == "HEAD" {
                return Told::new(status, "");
            }
            let mut told = memory.answer(asked);
            told.headers
                .retain(|(name, _)| name != "docker-content-digest");
            told
        })
        .await;
        let registry = read(&client(&server.host), &web()).await;
        assert_eq!(told(&registry, &names), expect);
        let web = &registry.repositories[&path("web")];
        assert!(
            web.tags
                .values()
                .all(|it| matches!(it, Reading::Present(_)))
        );
    }
}

//! Plans that are carried out, on a real registry and on stand-ins, and put back again.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use support::{
    Unmoved, client, client_as, frozen,
    memory::{Flavor, Image, Memory},
    now, path,
    pushed::{Layout, is_pullable},
    reap_options,
    server::{Asked, Server, Told},
    tokens::with_tokens,
    told,
};
use underpin_image::{Digest, FrozenPlan, Movement, Registry};
use underpin_registry::{
    Act, Api, AuditEntry, Client, Credentials, ReadOptions, ReapOptions, Reaped, Recheck, State,
    finish, read, reap, restore,
};
use underpin_testenv::registry::{DockerRegistry, Options};

fn lines(path: &std::path::Path) -> Vec<AuditEntry> {
    let text = fs::read_to_string(path.join("audit.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the audit log holds, without when.
fn audited(path: &std::path::Path, names: &BTreeMap<Digest, String>) -> Vec<String> {
    let entries = lines(path).into_iter();
    entries
        .map(|entry| {
            let digest = entry
                .digest
                .map(|digest| names[&digest].clone())
                .unwrap_or_default();
            let tags: Vec<String> = entry.tags.iter().map(ToString::to_string).collect();
            format!("{:?} {digest} [{}]", entry.act, tags.join(" "))
        })
        .collect()
}

async fn everything(client: &Client) -> Registry {
    read(client, &ReadOptions::default()).await
}

/// R4.2, R4.3: an index goes with its children and signature, its siblings stay, and all of it comes back
/// byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn r4_2_a_group_goes_and_comes_back_on_a_real_registry() {
    let registry = DockerRegistry::start(Options::default()).unwrap();
    let host = registry.host();
    let mut layout = Layout::new();
    for version in ["old", "new"] {
        let children = ["amd64", "arm64"].map(|platform| format!("{version}-{platform}"));
        layout.image(&children[0], "amd64", None);
        layout.image(&children[1], "arm64", None);
        let index = layout.index(version, &[&children[0], &children[1]]);
        let signature = format!("{version}-signature");
        layout.image(&signature, "unknown", Some(&index));
        let tag = format!("{host}/web:sha256-{}.sig", index.encoded());
        layout.push(&signature, &tag, None);
    }
    for (name, tag) in [
        ("old", "1.0.0"),
        ("old", "1.0.0-rc1"),
        ("new", "1.1.0"),
        ("new", "staging"),
    ] {
        layout.push(name, &format!("{host}/web:{tag}"), None);
    }
    let names = layout.names();
    let client = client(&host);
    let before = everything(&client).await;
    let plan = frozen(&before, &[&format!("{host}/web:1.1.0")]);
    assert_eq!(plan.number(), 4);
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let reaped = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
    assert_eq!(reaped.stopped, None);
    assert_eq!((reaped.deleted.len(), reaped.kept.len()), (4, 0));
    let gone: Vec<&str> = reaped
        .deleted
        .iter()
        .map(|gone| &*names[&gone.digest])
        .collect();
    assert_eq!(gone[0], "old");
    let after = everything(&client).await;
    let expect = "\
web
  1.1.0 -> new
  sha256-<new>.sig -> new-signature
  staging -> new
  new-amd64: Image []
  new-arm64: Image []
  new-signature: Image [] new
  new: Index [new-amd64 new-arm64]";
    assert_eq!(told(&after, &names), expect);
    assert!(is_pullable(&format!("{host}/web:1.1.0")));
    assert!(!is_pullable(&format!("{host}/web:1.0.0")));
    let log = audited(folder.path(), &names);
    assert_eq!(log.len(), 10, "{log:?}");
    assert_eq!(
        log[1..3],
        [
            "Delete old [1.0.0 1.0.0-rc1]",
            "Deleted old [1.0.0 1.0.0-rc1]"
        ]
    );

    // The same plan once more has nothing left to do.
    let again = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
    assert_eq!((again.stopped, again.journal), (None, None));
    assert!(again.deleted.is_empty());

    let entries = State::entries(&reaped.journal.unwrap()).unwrap();
    let restored = restore(&client, &state, &entries, "tester@here", &now)
        .await
        .unwrap();
    assert_eq!((restored.manifests.len(), restored.tags.len()), (4, 3));
    assert!(
        restored.failed.is_empty() && restored.left.is_empty(),
        "{restored:?}"
    );
    assert_eq!(
        told(&everything(&client).await, &names),
        told(&before, &names)
    );
    assert!(is_pullable(&format!("{host}/web:1.0.0")));
}

/// Once the registry has collected its garbage it is too late, and that is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_collected_cannot_come_back() {
    let mut registry = DockerRegistry::start(Options::default()).unwrap();
    let host = registry.host();
    let mut layout = Layout::new();
    for (name, tag) in [("old", "1.0.0"), ("new", "1.1.0")] {
        layout.image(name, "amd64", None);
        layout.push(name, &format!("{host}/web:{tag}"), None);
    }
    let client = client(&host);
    let plan = frozen(&everything(&client).await, &[&format!("{host}/web:1.1.0")]);
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let reaped = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
    assert_eq!((reaped.stopped, reaped.until), (None, None));
    registry.collect_garbage().unwrap();
    let entries = State::entries(&reaped.journal.unwrap()).unwrap();
    let restored = restore(&client, &state, &entries, "tester@here", &now)
        .await
        .unwrap();
    assert!(restored.manifests.is_empty());
    let reason = "the registry does not have all that it is made of any more";
    assert_eq!(restored.failed[0].reason, reason);
    assert_eq!(restored.failed[1].reason, reason);
}

/// R4.3: a registry that deletes nothing, or is another one, or more than agreed: nothing is tried.
#[tokio::test(flavor = "multi_thread")]
async fn r4_3_what_cannot_be_carried_out_is_not_begun() {
    let registry = DockerRegistry::start(Options {
        is_delete_enabled: false,
        ..Options::default()
    })
    .unwrap();
    let host = registry.host();
    let mut layout = Layout::new();
    for (name, tag) in [("old", "1.0.0"), ("new", "1.1.0")] {
        layout.image(name, "amd64", None);
        layout.push(name, &format!("{host}/web:{tag}"), None);
    }
    let client = client(&host);
    let before = everything(&client).await;
    let plan = frozen(&before, &[&format!("{host}/web:1.1.0")]);
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let stopped = async |plan: &FrozenPlan, most: usize| {
        let mut options = reap_options();
        options.most = most;
        let reaped = reap(&client, &state, plan, &mut Unmoved, &options).await;
        assert!(reaped.deleted.is_empty());
        reaped.stopped.unwrap()
    };
    let reason = "the registry is configured to delete nothing";
    assert_eq!(stopped(&plan, 1).await, reason);
    let reason = "the plan deletes 1 manifests, and one run may delete 0";
    assert_eq!(stopped(&plan, 0).await, reason);
    let mut other = plan.clone();
    other.registry = underpin_image::Host::new("registry.example.com").unwrap();
    assert!(
        stopped(&other, 1)
            .await
            .starts_with("the plan is for registry.example.com, and this")
    );
    assert_eq!(
        told(&everything(&client).await, &layout.names()),
        told(&before, &layout.names())
    );
}

/// `web` with an old index of two children and a new image, and who answers for it.
struct Scene {
    memory: Arc<Memory>,
    names: BTreeMap<Digest, String>,
    old: Image,
    new: Image,
}

impl Scene {
    fn new(flavor: Flavor) -> Self {
        let memory = Memory::new(flavor);
        let [a, b, new] = ["a", "b", "new"].map(Image::named);
        let old = Image::index(&[&a, &b]);
        for child in [&a, &b] {
            memory.push("team/web", &[], child);
        }
        memory.push("team/web", &["1.0.0", "1.0.1"], &old);
        memory.push("team/web", &["1.1.0", "staging"], &new);
        let all = [
            ("a", a),
            ("b", b),
            ("new", new.clone()),
            ("old", old.clone()),
        ];
        let names = BTreeMap::from(all.map(|(name, image)| (image.digest, name.to_owned())));
        Self {
            memory,
            names,
            old,
            new,
        }
    }

    fn options(&self) -> ReadOptions {
        let known: BTreeSet<Digest> = self.names.keys().cloned().collect();
        ReadOptions {
            owners: BTreeSet::from(["team".to_owned()]),
            known: BTreeMap::from([(path("team/web"), known)]),
            ..ReadOptions::default()
        }
    }

    async fn told(&self, client: &Client) -> String {
        told(&read(client, &self.options()).await, &self.names)
    }

    /// A server, and the plan that takes the old index away.
    async fn plan(
        &self,
        handler: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static,
    ) -> (Server, Client, FrozenPlan) {
        let memory = Arc::clone(&self.memory);
        let is_ready = Arc::new(AtomicBool::new(false));
        let ready = Arc::clone(&is_ready);
        let server = Server::start(move |asked| {
            let is_ready = ready.load(Ordering::SeqCst);
            let own = if is_ready { handler(asked) } else { None };
            own.unwrap_or_else(|| memory.answer(asked))
        })
        .await;
        let client = client(&server.host);
        let registry = read(&client, &self.options()).await;
        let plan = frozen(&registry, &[&format!("{}/team/web:1.1.0", server.host)]);
        assert_eq!(plan.number(), 3);
        is_ready.store(true, Ordering::SeqCst);
        (server, client, plan)
    }
}

const LEFT: &str = "\
team/web
  1.1.0 -> new
  staging -> new
  a: absent
  b: absent
  new: Image []
  old: absent";

/// R4.2, R4.6: each kind of registry deletes in its own way, siblings stay, and all comes back.
#[tokio::test]
async fn r4_6_each_kind_of_registry_deletes_in_its_own_way() {
    for (flavor, deletes) in [
        (Flavor::Classic, ["DELETE /v2/team/web/manifests/", ""]),
        (
            Flavor::Modern,
            [
                "DELETE /v2/team/web/manifests/",
                "DELETE /v2/team/web/manifests/1.0.",
            ],
        ),
        (
            Flavor::Gitea,
            [
                "DELETE /api/v1/packages/team/",
                "DELETE /api/v1/packages/team/container/web/1.0.",
            ],
        ),
    ] {
        let scene = Scene::new(flavor);
        let (server, client, plan) = scene.plan(|_| None).await;
        let before = scene.told(&client).await;
        let folder = tempfile::tempdir().unwrap();
        let state = State::lock(folder.path()).unwrap();
        let reaped = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
        assert_eq!(reaped.stopped, None, "{flavor:?}");
        assert_eq!(reaped.deleted.len(), 3);
        assert_eq!(scene.told(&client).await, LEFT, "{flavor:?}");
        assert!(server.count(deletes[0]) >= 3);
        let by_tag = if deletes[1].is_empty() {
            0
        } else {
            server.count(deletes[1])
        };
        assert_eq!(by_tag, if flavor == Flavor::Classic { 0 } else { 2 });
        let by_registry = server.count("DELETE /v2/");
        assert_eq!(by_registry == 0, flavor == Flavor::Gitea, "{by_registry}");
        assert_eq!(reaped.until.is_some(), flavor == Flavor::Gitea);
        let entries = State::entries(&reaped.journal.unwrap()).unwrap();
        restore(&client, &state, &entries, "tester@here", &now)
            .await
            .unwrap();
        assert_eq!(scene.told(&client).await, before);
    }
}

/// A token that reads is not one that writes, and each is had when it is needed.
#[tokio::test]
async fn deleting_takes_a_token_of_its_own() {
    let scene = Scene::new(Flavor::Modern);
    let (server, tokens) = with_tokens(Arc::clone(&scene.memory), usize::MAX).await;
    let client = client_as(&server.host, Some(Credentials::password("ci", "hunter2")));
    let mut options = scene.options();
    options.api = Api::Distribution;
    let registry = read(&client, &options).await;
    assert_eq!(tokens.requests().len(), 2);
    let plan = frozen(&registry, &[&format!("{}/team/web:1.1.0", server.host)]);
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let mut own = reap_options();
    own.api = Api::Distribution;
    let reaped = reap(&client, &state, &plan, &mut Unmoved, &own).await;
    assert_eq!((reaped.stopped, reaped.deleted.len()), (None, 3));
    assert_eq!(tokens.requests().len(), 3);
    let found = told(&read(&client, &options).await, &scene.names);
    assert_eq!(found, LEFT);
}

/// Something happens once, at a request.
fn once(
    matches: impl Fn(&Asked) -> bool + Send + Sync + 'static,
    act: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static,
) -> impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static {
    let done = AtomicBool::new(false);
    move |asked| {
        if matches(asked) && !done.swap(true, Ordering::SeqCst) {
            return act(asked);
        }
        None
    }
}

fn is_delete_of(digest: &Digest) -> impl Fn(&Asked) -> bool + Send + Sync + 'static {
    let end = format!("/manifests/{digest}");
    move |asked| asked.method == "DELETE" && asked.path.ends_with(&end)
}

async fn reaped(
    scene: &Scene,
    handler: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static,
) -> (Reaped, Client, Server) {
    let (server, client, plan) = scene.plan(handler).await;
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let reaped = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
    (reaped, client, server)
}

/// R4.3: an answer of 500 may mean anything: what became of it is looked at.
#[tokio::test]
async fn r4_3_an_error_of_a_deletion_says_nothing() {
    // It was done.
    let scene = Scene::new(Flavor::Classic);
    let memory = Arc::clone(&scene.memory);
    let done = once(is_delete_of(&scene.old.digest), move |asked| {
        memory.answer(asked);
        Some(Told::new(500, ""))
    });
    let (result, client, _server) = reaped(&scene, done).await;
    assert_eq!((result.stopped, result.deleted.len()), (None, 3));
    assert_eq!(scene.told(&client).await, LEFT);
    // It was not.
    for status in [500, 403, 503] {
        let scene = Scene::new(Flavor::Classic);
        let fails = once(is_delete_of(&scene.old.digest), move |_| {
            Some(Told::new(status, ""))
        });
        let (result, client, _server) = reaped(&scene, fails).await;
        let expect = format!("the registry does not delete it: it answers with status {status}");
        assert!(result.stopped.unwrap().contains(&expect));
        assert!(result.deleted.is_empty());
        let found = scene.told(&client).await;
        assert!(
            found.contains("1.0.0 -> old") && !found.contains("absent"),
            "{found}"
        );
    }
}

/// R4.3: what came between the plan and its deletion is seen, and kept.
#[tokio::test]
async fn r4_3_what_has_come_to_be_needed_is_kept() {
    // A tag was moved to it, or has come, right before; or an index that holds its child.
    let index = Image::index(&[&Image::named("a")]);
    for tag in ["staging", "2.0.0", "index"] {
        let scene = Scene::new(Flavor::Classic);
        let (memory, old, came) = (Arc::clone(&scene.memory), scene.old.clone(), index.clone());
        let number = AtomicUsize::new(0);
        let comes = move |asked: &Asked| {
            // The second list of tags is the one before the group.
            let is_list = asked.path.ends_with("/tags/list");
            if is_list && number.fetch_add(1, Ordering::SeqCst) == 1 {
                match tag {
                    "index" => memory.push("team/web", &["2.0.0"], &came),
                    tag => memory.push("team/web", &[tag], &old),
                }
            }
            None
        };
        let (result, client, server) = reaped(&scene, comes).await;
        assert_eq!(result.stopped, None, "{tag}");
        assert_eq!((result.deleted.len(), result.kept.len()), (0, 3), "{tag}");
        let reason = &result.kept[0].reason;
        let expect = match tag {
            "index" => format!("{}, which was pushed meanwhile, names it", index.digest),
            tag => format!("tag {tag} has come to point to it"),
        };
        assert_eq!(*reason, expect);
        // Nothing but what the probe did.
        assert_eq!(server.count("DELETE"), 2);
        assert!(!scene.told(&client).await.contains("absent"));
    }
}

/// R4.3: a promotion that is lost in the moment of the deletion is put back, with all that it needs.
#[tokio::test]
async fn r4_3_a_promotion_that_is_lost_is_put_back() {
    let scene = Scene::new(Flavor::Classic);
    let (memory, old) = (Arc::clone(&scene.memory), scene.old.clone());
    let promoted = once(is_delete_of(&scene.old.digest), move |_| {
        memory.push("team/web", &["staging"], &old);
        None
    });
    let (result, client, _server) = reaped(&scene, promoted).await;
    let stopped = result.stopped.unwrap();
    assert_eq!(
        stopped,
        "team/web: lost with what was deleted: staging; all of it was put back"
    );
    let expect = "\
team/web
  1.0.0 -> old
  1.0.1 -> old
  1.1.0 -> new
  staging -> old
  a: Image []
  b: Image []
  new: Image []
  old: Index [a b]";
    assert_eq!(scene.told(&client).await, expect);
    // The index was gone, and is pushed again while its children are deleted.
    let scene = Scene::new(Flavor::Classic);
    let (memory, old) = (Arc::clone(&scene.memory), scene.old.clone());
    let child = Image::named("b").digest;
    let again = once(is_delete_of(&child), move |_| {
        memory.push("team/web", &["staging"], &old);
        None
    });
    let (result, client, _server) = reaped(&scene, again).await;
    assert!(result.stopped.is_some());
    assert_eq!(scene.told(&client).await, expect);
}

/// R4.3: a push that comes while its manifest is deleted may bring the manifest back and lose its tag all the
/// same: the tag comes back to what was pushed, and not to where it was before.
#[tokio::test]
async fn r4_3_a_push_that_was_lost_in_half_is_put_back_whole() {
    let scene = Scene::new(Flavor::Classic);
    let (memory, old) = (Arc::clone(&scene.memory), scene.old.clone());
    let half = once(is_delete_of(&scene.old.digest), move |asked| {
        memory.push("team/web", &["staging"], &old);
        let told = memory.answer(asked);
        memory.push("team/web", &[], &old);
        Some(told)
    });
    let (result, client, _server) = reaped(&scene, half).await;
    assert!(result.deleted.is_empty());
    assert_eq!(
        result.stopped.as_deref(),
        Some("team/web: lost with what was deleted: 1.0.0, 1.0.1, staging; all of it was put back")
    );
    let found = scene.told(&client).await;
    for line in ["1.0.0 -> old", "1.0.1 -> old", "staging -> old"] {
        assert!(found.contains(line), "{found}");
    }
}

/// R4.3: an index that is pushed again while its children are about to go keeps them, with a tag or without.
#[tokio::test]
async fn r4_3_an_index_that_is_pushed_again_keeps_its_children() {
    for tags in [&["1.0.0"][..], &[]] {
        let scene = Scene::new(Flavor::Classic);
        let (memory, old) = (Arc::clone(&scene.memory), scene.old.clone());
        let (went, came) = (AtomicBool::new(false), AtomicBool::new(false));
        let is_old = is_delete_of(&scene.old.digest);
        let again = move |asked: &Asked| {
            if is_old(asked) {
                went.store(true, Ordering::SeqCst);
            }
            // The first list of tags after the index went.
            let is_list = asked.path.ends_with("/tags/list");
            if is_list && went.load(Ordering::SeqCst) && !came.swap(true, Ordering::SeqCst) {
                memory.push("team/web", tags, &old);
            }
            None
        };
        let before = {
            let server = scene.memory.serve().await;
            scene.told(&client(&server.host)).await
        };
        let (result, client, server) = reaped(&scene, again).await;
        for child in ["a", "b"] {
            let child = Image::named(child).digest;
            let path = format!("DELETE /v2/team/web/manifests/{child}");
            assert_eq!(server.count(&path), 0, "{tags:?}");
        }
        assert_eq!(result.deleted.len(), 1);
        let stopped = result.stopped.unwrap();
        assert!(stopped.ends_with("; all of it was put back"), "{stopped}");
        assert_eq!(scene.told(&client).await, before);
    }
}

/// R4.3: that somebody has asked to stop is not told where something was lost and could not be put back.
#[tokio::test]
async fn r4_3_what_was_lost_is_told_whoever_asked_to_stop() {
    let scene = Scene::new(Flavor::Classic);
    let (memory, old) = (Arc::clone(&scene.memory), scene.old.clone());
    let is_old = is_delete_of(&scene.old.digest);
    let stop = Arc::new(AtomicBool::new(false));
    let asked_to_stop = Arc::clone(&stop);
    let lost = move |asked: &Asked| {
        if is_old(asked) {
            memory.push("team/web", &["staging"], &old);
            asked_to_stop.store(true, Ordering::SeqCst);
        }
        (asked.method == "PUT").then(|| Told::error(403, "DENIED"))
    };
    let (_server, client, plan) = scene.plan(lost).await;
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let is_asked = || stop.load(Ordering::SeqCst);
    let options = ReapOptions {
        stop: &is_asked,
        ..reap_options()
    };
    let result = reap(&client, &state, &plan, &mut Unmoved, &options).await;
    assert!(!result.is_asked_to_stop);
    assert!(!result.restored.failed.is_empty());
    let stopped = result.stopped.unwrap();
    assert!(stopped.contains("could not be put back"), "{stopped}");
}

/// R4.3: a tag that comes and goes while a manifest is deleted, and of which nobody can say where it pointed, is
/// not taken for deleted: the run ends, and the tag is put back as soon as that can be told, by whichever run.
#[tokio::test]
async fn r4_3_a_tag_of_which_nothing_can_be_read_is_not_taken_for_deleted() {
    for is_same_run in [true, false] {
        let scene = Scene::new(Flavor::Classic);
        let (memory, old, new) = (
            Arc::clone(&scene.memory),
            scene.old.clone(),
            scene.new.clone(),
        );
        let is_old = is_delete_of(&scene.old.digest);
        let lists = AtomicUsize::new(0);
        let (is_silent, went) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        let handler = move |asked: &Asked| {
            let is_list = asked.path.ends_with("/tags/list");
            // It comes after where all tags pointed was looked at, so that only the looks at the group have it.
            if is_list && lists.fetch_add(1, Ordering::SeqCst) == 1 {
                memory.push("team/web", &["latest"], &new);
            }
            if is_old(asked) {
                memory.push("team/web", &["latest"], &old);
                silent.store(true, Ordering::SeqCst);
                went.store(true, Ordering::SeqCst);
            }
            // The one at the end of the batch.
            if is_same_run
                && is_list
                && went.load(Ordering::SeqCst)
                && lists.load(Ordering::SeqCst) > 4
            {
                silent.store(false, Ordering::SeqCst);
            }
            let is_new = asked.path.ends_with(new.digest.as_str());
            (is_new && silent.load(Ordering::SeqCst)).then(|| Told::error(403, "DENIED"))
        };
        let (server, client, plan) = scene.plan(handler).await;
        let folder = tempfile::tempdir().unwrap();
        let state = State::lock(folder.path()).unwrap();
        let result = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
        let stopped = result.stopped.unwrap();
        for child in ["a", "b"] {
            let child = Image::named(child).digest;
            let path = format!("DELETE /v2/team/web/manifests/{child}");
            assert_eq!(server.count(&path), 0, "{stopped}");
        }
        if !is_same_run {
            assert!(
                stopped.contains("is looked at by the next run"),
                "{stopped}"
            );
            is_silent.store(false, Ordering::SeqCst);
            let next = finish(&client, &state, &reap_options()).await;
            assert!(
                next.stopped
                    .unwrap()
                    .contains("lost with what was deleted: latest")
            );
        }
        let found = scene.told(&client).await;
        assert!(found.contains("latest -> old"), "{stopped}\n{found}");
    }
}

/// R4.3: a tag that is known to be lost is put back where it pointed, by whichever run that succeeds: the tag
/// came after all were looked at, and more than one manifest is gone by then, so that nobody finds it out again.
#[tokio::test]
async fn r4_3_what_could_not_be_put_back_is_not_forgotten() {
    for is_killed in [false, true] {
        let scene = Scene::new(Flavor::Classic);
        let (memory, new) = (Arc::clone(&scene.memory), scene.new.clone());
        let is_child = is_delete_of(&Image::named("b").digest);
        let lists = AtomicUsize::new(0);
        let refuses = Arc::new(AtomicBool::new(true));
        let refused = Arc::clone(&refuses);
        let handler = move |asked: &Asked| {
            if asked.path.ends_with("/tags/list") && lists.fetch_add(1, Ordering::SeqCst) == 1 {
                memory.push("team/web", &["latest"], &new);
            }
            // The index is gone by then, and somebody takes its child by itself.
            if is_child(asked) {
                memory.push("team/web", &["latest"], &Image::named("b"));
            }
            (asked.method == "PUT" && refused.load(Ordering::SeqCst)).then(|| {
                let mut told = Told::error(403, "DENIED");
                if is_killed {
                    told.after = Duration::from_mins(10);
                }
                told
            })
        };
        let (_server, client, plan) = scene.plan(handler).await;
        let folder = tempfile::tempdir().unwrap();
        if is_killed {
            killed(&client, &plan, folder.path()).await;
        } else {
            let state = State::lock(folder.path()).unwrap();
            let result = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
            let stopped = result.stopped.unwrap();
            assert!(stopped.contains("could not be put back"), "{stopped}");
        }
        assert!(!scene.told(&client).await.contains("latest"));
        refuses.store(false, Ordering::SeqCst);
        let state = State::lock(folder.path()).unwrap();
        let next = finish(&client, &state, &reap_options()).await;
        let stopped = next.stopped.unwrap();
        assert!(
            stopped.starts_with("team/web: lost with what was deleted: latest"),
            "{stopped}"
        );
        let found = scene.told(&client).await;
        assert!(found.contains("latest -> b"), "{found}");
        assert_eq!(State::number_unverified(folder.path()).unwrap(), 0);
    }
}

/// Kills a run when it has hung for a while.
async fn killed(client: &Client, plan: &FrozenPlan, folder: &std::path::Path) {
    let state = State::lock(folder).unwrap();
    let options = reap_options();
    let mut recheck = Unmoved;
    let running = reap(client, &state, plan, &mut recheck, &options);
    let ended = tokio::time::timeout(Duration::from_secs(2), running).await;
    assert!(ended.is_err());
}

/// R4.3: what a run had asked for when it was killed stands in the log before it is sent; the next run finds
/// out what became of it and tells it, before anything else and without a plan too.
#[tokio::test]
async fn r4_3_what_a_killed_run_had_asked_for_is_told_by_the_next() {
    for (flavor, is_carried_out) in [
        (Flavor::Classic, true),
        (Flavor::Classic, false),
        (Flavor::Modern, true),
        (Flavor::Gitea, true),
    ] {
        let scene = Scene::new(flavor);
        let memory = Arc::clone(&scene.memory);
        let is_delete = |asked: &Asked| {
            asked.method == "DELETE"
                && asked.path.contains("web")
                && !asked.path.contains("underpin")
        };
        let old = scene.old.digest.clone();
        let is_last = move |asked: &Asked| {
            let is_old = asked.path.ends_with(old.as_str()) || asked.path.ends_with("1.0.1");
            is_delete(asked) && is_old
        };
        let hangs = once(is_last, move |asked| {
            if is_carried_out {
                memory.answer(asked);
            }
            let mut told = Told::new(500, "");
            told.after = Duration::from_mins(10);
            Some(told)
        });
        let (_server, client, plan) = scene.plan(hangs).await;
        let folder = tempfile::tempdir().unwrap();
        killed(&client, &plan, folder.path()).await;
        let log = lines(folder.path());
        let last = log.last().unwrap();
        let expect = match flavor {
            Flavor::Classic => Act::Delete,
            _ => Act::Untag,
        };
        assert_eq!(last.act, expect, "{flavor:?} {log:?}");
        assert_eq!(last.digest.as_ref(), Some(&scene.old.digest));
        assert_eq!(State::number_unverified(folder.path()).unwrap(), 3);
        // A line that was cut is not in the way of the next one.
        let path = folder.path().join("audit.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let cut = &text.lines().last().unwrap()[..30];
        fs::write(&path, format!("{text}{cut}")).unwrap();
        let state = State::lock(folder.path()).unwrap();
        let result = finish(&client, &state, &reap_options()).await;
        assert_eq!((&result.stopped, result.deleted.len()), (&None, 0));
        let earlier = result.earlier.unwrap();
        assert_eq!(
            (earlier.run.as_str(), earlier.number),
            (last.run.as_str(), 3)
        );
        let [one] = &earlier.cut[..] else {
            panic!("{earlier:?}");
        };
        assert_eq!(one.digest, scene.old.digest);
        // Elsewhere the manifest outlives its tags.
        let is_gone = is_carried_out && flavor == Flavor::Classic;
        let is_gone = is_gone || flavor == Flavor::Gitea && is_carried_out;
        assert_eq!(one.is_gone, Ok(is_gone), "{flavor:?}");
        let text = fs::read_to_string(&path).unwrap();
        let written = if is_gone { "deleted" } else { "notDeleted" };
        let written = format!("\"act\":\"{written}\"");
        let line = text
            .lines()
            .find(|line| line.contains("was cut before it saw that"));
        assert!(line.unwrap().contains(&written), "{text}");
        assert_eq!(State::number_unverified(folder.path()).unwrap(), 0);
        let again = finish(&client, &state, &reap_options()).await;
        assert_eq!((again.stopped, again.earlier), (None, None));
        let rest = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
        assert_eq!(rest.stopped, None);
        assert_eq!(scene.told(&client).await, LEFT, "{flavor:?}");
    }
}

/// R4.3: a run that is killed in the middle is verified by the next one.
#[tokio::test]
async fn r4_3_what_a_killed_run_lost_is_put_back_by_the_next() {
    let scene = Scene::new(Flavor::Classic);
    let (memory, old) = (Arc::clone(&scene.memory), scene.old.clone());
    let promoted = once(is_delete_of(&scene.old.digest), move |asked| {
        memory.push("team/web", &["staging"], &old);
        let mut told = memory.answer(asked);
        told.after = Duration::from_mins(10);
        Some(told)
    });
    let (_server, client, plan) = scene.plan(promoted).await;
    let folder = tempfile::tempdir().unwrap();
    killed(&client, &plan, folder.path()).await;
    assert!(scene.told(&client).await.contains("old: absent"));
    let state = State::lock(folder.path()).unwrap();
    let result = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
    let stopped = result.stopped.unwrap();
    assert!(
        stopped.starts_with("team/web: lost with what was deleted: staging"),
        "{stopped}"
    );
    assert!(scene.told(&client).await.contains("staging -> old"));
    // Then the plan is not carried out: the tag is there now.
    let result = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
    assert_eq!((result.stopped, result.kept.len()), (None, 3));
}

/// Says what a test says.
struct Says(Result<Vec<Movement>, String>);

impl Recheck for Says {
    async fn movements(&mut self, _: &str) -> Result<Vec<Movement>, String> {
        self.0.clone()
    }
}

/// R4.3: what the plan of now says counts, and a source that cannot be read ends the run.
#[tokio::test]
async fn r4_3_the_plan_of_now_counts() {
    let scene = Scene::new(Flavor::Classic);
    let (server, client, plan) = scene.plan(|_| None).await;
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let movement = |digest| Movement {
        repository: path("team/web"),
        digest,
        message: "it stays now: a workload runs it".to_owned(),
    };
    let child = Image::named("a").digest;
    for (says, stopped, kept) in [
        (
            Err("cannot read cluster b".to_owned()),
            Some("cannot read cluster b"),
            0,
        ),
        (
            Ok(vec![movement(None)]),
            Some("it stays now: a workload runs it"),
            0,
        ),
        (Ok(vec![movement(Some(child))]), None, 3),
        (Ok(vec![movement(Some(scene.new.digest.clone()))]), None, 0),
    ] {
        let is_last = says.as_ref().is_ok_and(|all| {
            all.iter()
                .any(|one| one.digest.as_ref() == Some(&scene.new.digest))
        });
        let result = reap(&client, &state, &plan, &mut Says(says), &reap_options()).await;
        assert_eq!(result.stopped.as_deref(), stopped);
        assert_eq!(result.kept.len(), kept);
        assert_eq!(result.deleted.len(), if is_last { 3 } else { 0 });
    }
    assert!(server.count("DELETE") > 3);
}

/// A folder in which it costs nothing to have a file on the disk, where there is such a one.
fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// What of a scene must be there whatever happens, and what may be gone only if a journal has it.
async fn check_nothing_else_went(scene: &Scene, folder: &std::path::Path, what: &str) {
    let server = scene.memory.serve().await;
    let found = scene.told(&client(&server.host)).await;
    for line in ["1.1.0 -> new", "staging -> new", "new: Image []"] {
        assert!(found.contains(line), "{what}: {found}");
    }
    let state = State::lock(folder).unwrap();
    let journals = state.journals().unwrap().into_iter();
    let saved: BTreeSet<Digest> = journals
        .flat_map(|path| State::entries(&path).unwrap())
        .map(|entry| entry.digest)
        .collect();
    for (digest, name) in &scene.names {
        let is_gone = found.contains(&format!("{name}: absent"));
        assert!(
            !is_gone || saved.contains(digest),
            "{what}: {name} is gone: {found}"
        );
    }
}

/// Runs the plan to its end, as whoever looks at why it stopped would.
async fn is_finished(
    scene: &Scene,
    client: &Client,
    plan: &FrozenPlan,
    folder: &std::path::Path,
) -> bool {
    for _ in 0..3 {
        let state = State::lock(folder).unwrap();
        let result = reap(client, &state, plan, &mut Unmoved, &reap_options()).await;
        if result.stopped.is_none() {
            break;
        }
    }
    scene.told(client).await == LEFT
}

/// The first request that is looked at, and how many further on the next one is: each of the classic
/// registry, of the others every third, in turns.
fn steps(flavor: Flavor, turn: usize) -> (usize, usize) {
    match flavor {
        Flavor::Classic => (0, 1),
        Flavor::Modern | Flavor::Gitea => (turn % 3, 3),
    }
}

/// R4.3: whatever request of a run fails, however it does: nothing else goes, all that went is in the journal,
/// and the same plan is carried out to its end afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn r4_3_whatever_request_of_a_run_fails_nothing_else_goes() {
    for flavor in [Flavor::Classic, Flavor::Modern, Flavor::Gitea] {
        let faults = [
            Told::new(500, ""),
            Told::new(404, "<html>").with("content-type", "text/html"),
            Told::error(403, "DENIED"),
            Told::new(200, "[]"),
        ];
        for (kind, fault) in faults.into_iter().enumerate() {
            let (mut at, step) = steps(flavor, kind);
            loop {
                let scene = Scene::new(flavor);
                let number = Arc::new(AtomicUsize::new(0));
                let (counted, failing) = (Arc::clone(&number), fault.clone());
                let fails = move |_: &Asked| {
                    let is_it = counted.fetch_add(1, Ordering::SeqCst) == at;
                    is_it.then(|| failing.clone())
                };
                let (_server, client, plan) = scene.plan(fails).await;
                let folder = folder_in_memory();
                {
                    let state = State::lock(folder.path()).unwrap();
                    reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
                }
                if number.load(Ordering::SeqCst) <= at {
                    assert!(at > 30, "{at}");
                    break;
                }
                let what = format!("{flavor:?} {} {at}", fault.status);
                check_nothing_else_went(&scene, folder.path(), &what).await;
                assert!(
                    is_finished(&scene, &client, &plan, folder.path()).await,
                    "{what}"
                );
                at += step;
            }
        }
    }
}

/// R4.3: a run that is killed at any request, carried out or not, is finished by the next one.
#[tokio::test(flavor = "multi_thread")]
async fn r4_3_a_run_that_is_killed_anywhere_is_finished_by_the_next() {
    for flavor in [Flavor::Classic, Flavor::Modern, Flavor::Gitea] {
        for is_carried_out in [false, true] {
            let (mut at, step) = steps(flavor, usize::from(is_carried_out));
            loop {
                let scene = Scene::new(flavor);
                let (reached, mut reaching) = tokio::sync::mpsc::unbounded_channel();
                let (number, memory) = (AtomicUsize::new(0), Arc::clone(&scene.memory));
                let hangs = move |asked: &Asked| {
                    if number.fetch_add(1, Ordering::SeqCst) != at {
                        return None;
                    }
                    if is_carried_out {
                        memory.answer(asked);
                    }
                    reached.send(()).unwrap();
                    let mut told = Told::new(500, "");
                    told.after = Duration::from_mins(10);
                    Some(told)
                };
                let (_server, client, plan) = scene.plan(hangs).await;
                let folder = folder_in_memory();
                let is_killed = {
                    let state = State::lock(folder.path()).unwrap();
                    let (mut recheck, options) = (Unmoved, reap_options());
                    tokio::select! {
                        _ = reaching.recv() => true,
                        _ = reap(&client, &state, &plan, &mut recheck, &options) => false,
                    }
                };
                if !is_killed {
                    assert!(at > 30, "{at}");
                    break;
                }
                let what = format!("{flavor:?} {is_carried_out} {at}");
                check_nothing_else_went(&scene, folder.path(), &what).await;
                assert!(
                    is_finished(&scene, &client, &plan, folder.path()).await,
                    "{what}"
                );
                at += step;
            }
        }
    }
}

/// Somebody asks to stop while a group goes: the group does, as a whole, and nothing else; the plan is carried
/// on by another run.
#[tokio::test]
async fn a_run_that_is_asked_to_stop_ends_between_two_groups() {
    let scene = Scene::new(Flavor::Classic);
    let older = Image::named("older");
    let asked_to_stop = Arc::new(AtomicBool::new(false));
    let (doomed, stop) = (
        [scene.old.digest.clone(), older.digest.clone()],
        Arc::clone(&asked_to_stop),
    );
    let (server, client, _) = scene
        .plan(move |asked| {
            let is_one = |digest: &Digest| asked.path.ends_with(digest.as_str());
            if asked.method == "DELETE" && doomed.iter().any(is_one) {
                stop.store(true, Ordering::SeqCst);
            }
            None
        })
        .await;
    scene.memory.push("team/web", &["0.9.0"], &older);
    let registry = read(&client, &scene.options()).await;
    let plan = frozen(&registry, &[&format!("{}/team/web:1.1.0", server.host)]);
    assert_eq!((plan.groups.len(), plan.number()), (2, 4));
    let folder = tempfile::tempdir().unwrap();
    let state = State::lock(folder.path()).unwrap();
    let is_asked = || asked_to_stop.load(Ordering::SeqCst);
    let options = ReapOptions {
        stop: &is_asked,
        ..reap_options()
    };
    let first = reap(&client, &state, &plan, &mut Unmoved, &options).await;
    assert_eq!(first.stopped.as_deref(), Some("somebody has asked to stop"));
    assert!(first.is_asked_to_stop);
    assert_eq!(first.deleted.len(), plan.groups[0].manifests.len());
    let still = reap(&client, &state, &plan, &mut Unmoved, &options).await;
    assert!(still.stopped.is_some() && still.deleted.is_empty());
    let rest = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
    assert_eq!(rest.stopped, None);
    assert_eq!(first.deleted.len() + rest.deleted.len(), 4);
}

//! What is kept between rounds and between runs: what is published, with the routes themselves, so
//! that an entry that is refused or lost can be served on as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    marker::PhantomData,
    sync::Arc,
};

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use underpin_model::{Claim, ObjectKey, Owner};

use crate::{
    adapted::Adapted,
    address::SiteAddress,
    document::ServedRoute,
    guard::Causes,
    json::{Json, fields, written},
    objects::{EdgeObject, EdgeObjects},
    path::PathMatch,
    published::{Holder, Published},
    table::RouteKey,
};

/// The form in which this is written; another one is not read.
const FORM: u64 = 1;

/// About how long what is written of one route is, without its content.
const ABOUT_A_ROUTE: usize = 256;

/// What is kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// What is published.
    pub published: Published,
    /// The routes of it.
    pub served: BTreeMap<RouteKey, ServedRoute>,
    /// Since when keys have been missing.
    pub missing_since: BTreeMap<RouteKey, u64>,
    /// What has been seen of objects that are gone.
    pub causes: Causes,
    /// What probes carry.
    pub nonce: String,
}

/// Without the nonce, and without what the routes hold.
impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered")
            .field("published", &self.published)
            .field("missing_since", &self.missing_since)
            .finish_non_exhaustive()
    }
}

/// Why what was written cannot be read. Names the part and never shows what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedError(&'static str);

impl fmt::Display for RememberedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not as this version writes it", self.0)
    }
}

impl std::error::Error for RememberedError {}

impl Remembered {
    /// Takes in what has been seen of objects that are gone, by uid and when, as far as they hold what
    /// is published. A `down` says what it is about to take: what lives, or stands in a claim
    /// still, was not taken, and that record explains nothing of it later.
    pub fn learn(
        &mut self,
        deleted: &BTreeMap<String, u64>,
        taken_down: &BTreeMap<String, u64>,
        claims: &[Claim],
        objects: &EdgeObjects,
    ) {
        let causes = &mut self.causes;
        // Claims are large, and seldom asked.
        let uids = self.published.holders.values();
        let uids = uids.filter_map(|holder| holder.uid.as_deref());
        let asked: BTreeSet<&str> = uids
            .filter(|uid| taken_down.contains_key(*uid) || causes.taken_down.contains_key(*uid))
            .collect();
        let claims = claims.iter().filter(|_| !asked.is_empty());
        let entries = claims.flat_map(|claim| claim.entries.values());
        let claimed: BTreeSet<&str> = entries
            .filter_map(|entry| entry.uid.as_deref().filter(|uid| asked.contains(uid)))
            .collect();
        for holder in self.published.holders.values() {
            let Some(uid) = &holder.uid else { continue };
            let uid = &**uid;
            if let Some(at) = deleted.get(uid) {
                causes.deleted.entry(uid.to_owned()).or_insert(*at);
            }
            let live = objects.get(&holder.object).and_then(EdgeObject::uid);
            if live == Some(uid) || claimed.contains(uid) {
                causes.taken_down.remove(uid);
            } else if let Some(at) = taken_down.get(uid) {
                causes.taken_down.entry(uid.to_owned()).or_insert(*at);
            }
        }
    }

    /// To be written. It holds what the entries hold.
    pub fn to_text(&self) -> String {
        // Entries with several addresses have their routes once.
        let mut contents: Vec<&Adapted> = Vec::new();
        let mut places: BTreeMap<*const Adapted, usize> = BTreeMap::new();
        for served in self.served.values() {
            places
                .entry(Arc::as_ptr(&served.routes))
                .or_insert_with(|| {
                    contents.push(&served.routes);
                    contents.len() - 1
                });
        }
        let about = contents
            .iter()
            .map(|adapted| adapted.length())
            .sum::<usize>()
            + self.served.len() * ABOUT_A_ROUTE;
        let contents = contents.into_iter().map(|adapted| {
            let parts = [&adapted.routes, &adapted.errors];
            parts
                .map(|part| written(part).collect())
                .into_iter()
                .collect()
        });
        let routes = self.served.iter().map(|(key, served)| {
            let place = places.get(&Arc::as_ptr(&served.routes));
            let holder = self.published.holders.get(key);
            let mut route = key_value(key);
            route.insert("object".to_owned(), object_value(&served.object));
            let holds = holder.map(|holder| object_value(&holder.object));
            route.insert("holder".to_owned(), holds.unwrap_or_default());
            let uid = holder.and_then(|holder| holder.uid.as_deref());
            route.insert("uid".to_owned(), uid.into());
            if let Some(Owner::Claim { stack, environment }) =
                holder.and_then(|holder| holder.owner.as_ref())
            {
                route.insert("owner".to_owned(), json!([stack, environment]));
            }
            route.insert("content".to_owned(), place.copied().into());
            if let Some(secret) = &served.certificate {
                route.insert("certificate".to_owned(), object_value(secret));
            }
            Value::Object(route).into()
        });
        let missing = self.missing_since.iter().map(|(key, since)| {
            let mut missing = key_value(key);
            missing.insert("since".to_owned(), (*since).into());
            Value::Object(missing)
        });
        fields([
            ("form", FORM.into()),
            ("generation", self.published.generation.into()),
            ("nonce", self.nonce.as_str().into()),
            ("contents", Json::each(contents)),
            ("routes", Json::each(routes)),
            ("missing", missing.collect::<Vec<Value>>().into()),
            ("deleted", json!(self.causes.deleted).into()),
            ("takenDown", json!(self.causes.taken_down).into()),
        ])
        .text(about)
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn from_slice(text: &[u8]) -> Result<Self, RememberedError> {
        // What serde says would show what stands there.
        let written: Written =
            serde_json::from_slice(text).map_err(|_| RememberedError("a part of it"))?;
        if written.form.as_u64() != Some(FORM) {
            return Err(RememberedError("the form"));
        }
        let contents = written.contents.0?;
        let mut read = Self {
            published: Published {
                generation: number(Some(&written.generation), "the generation")?,
                holders: BTreeMap::new(),
            },
            nonce: written
                .nonce
                .as_str()
                .ok_or(RememberedError("the nonce"))?
                .to_owned(),
            causes: Causes {
                deleted: times(&written.deleted)?,
                taken_down: times(&written.taken_down)?,
            },
            ..Self::default()
        };
        for route in written.routes.0? {
            let content = usize::try_from(route.content).ok();
            let content = content.and_then(|place| contents.get(place));
            let served = ServedRoute {
                object: route.object,
                routes: content
                    .cloned()
                    .ok_or(RememberedError("a route's content"))?,
                certificate: route.certificate,
            };
            if let Some(holder) = route.holder {
                read.published.holders.insert(route.key.clone(), holder);
            }
            read.served.insert(route.key, served);
        }
        read.missing_since = written.missing.0?.into_iter().collect();
        Ok(read)
    }
}

/// What is written, as it is read again.
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Written {
    form: Value,
    generation: Value,
    nonce: Value,
    contents: Items<Arc<Adapted>>,
    routes: Items<WrittenRoute>,
    missing: Items<(RouteKey, u64)>,
    deleted: Value,
    taken_down: Value,
}

/// The items of a list, or why one cannot be read. Each becomes what it is for before the next is looked at:
/// the tree of all of them would take more memory than everything else.
struct Items<T>(Result<Vec<T>, RememberedError>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Ok(Vec::new()))
    }
}

/// What is read out of one value.
trait Item: Sized {
    fn read(value: &Value) -> Result<Self, RememberedError>;
}

impl<'de, T: Item> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsReader(PhantomData))
    }
}

struct ItemsReader<T>(PhantomData<T>);

impl<'de, T: Item> Visitor<'de> for ItemsReader<T> {
    type Value = Items<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Items<T>, A::Error> {
        let mut read = Ok(Vec::new());
        while let Some(value) = items.next_element::<Value>()? {
            if let Ok(all) = &mut read {
                match T::read(&value) {
                    Ok(item) => all.push(item),
                    Err(error) => read = Err(error),
                }
            }
        }
        Ok(Items(read))
    }
}

struct WrittenRoute {
    key: RouteKey,
    object: Arc<ObjectKey>,
    holder: Option<Holder>,
    content: u64,
    certificate: Option<ObjectKey>,
}

impl Item for WrittenRoute {
    fn read(route: &Value) -> Result<Self, RememberedError> {
        let holder = match route.get("holder").filter(|holder| !holder.is_null()) {
            Some(object) => Some(Holder {
                object: Arc::new(object_of(Some(object))?),
                uid: text(route, "uid").map(Arc::from),
                owner: route.get("owner").map(owner_of).transpose()?,
            }),
            None => None,
        };
        let certificate = route.get("certificate");
        Ok(Self {
            key: key_of(route)?,
            object: Arc::new(object_of(route.get("object"))?),
            holder,
            content: number(route.get("content"), "a route's content")?,
            certificate: certificate.map(|it| object_of(Some(it))).transpose()?,
        })
    }
}

impl Item for (RouteKey, u64) {
    fn read(missing: &Value) -> Result<Self, RememberedError> {
        Ok((key_of(missing)?, number(missing.get("since"), "a time")?))
    }
}

impl Item for Arc<Adapted> {
    fn read(value: &Value) -> Result<Self, RememberedError> {
        let part = |at: usize| value.get(at).and_then(Value::as_array);
        match (part(0), part(1)) {
            (Some(routes), Some(errors)) => Ok(Self::new(Adapted::of(routes, errors))),
            _ => Err(RememberedError("a content")),
        }
    }
}

fn key_value(key: &RouteKey) -> Map<String, Value> {
    let (kind, path) = match &key.path {
        PathMatch::All => ("all", ""),
        PathMatch::Exact(path) => ("exact", path.as_str()),
        PathMatch::Below(path) => ("below", path.as_str()),
        PathMatch::Pattern(path) => ("pattern", path.as_str()),
    };
    let mut value = Map::new();
    let site = key.site.as_ref().map(ToString::to_string);
    value.insert("site".to_owned(), site.into());
    value.insert("path".to_owned(), json!([kind, path]));
    value
}

fn key_of(value: &Value) -> Result<RouteKey, RememberedError> {
    let site = match text(value, "site") {
        Some(site) => {
            let site = SiteAddress::parse(site);
            Some(site.map_err(|_| RememberedError("an address"))?)
        }
        None => None,
    };
    let part = |at: usize| {
        value
            .pointer(&format!("/path/{at}"))
            .and_then(Value::as_str)
    };
    let of_ingress = |kind: &str| PathMatch::of_ingress(part(1)?, kind);
    let path = match part(0) {
        Some("all") => Some(PathMatch::All),
        Some("exact") => of_ingress("Exact"),
        Some("below") => of_ingress("Prefix"),
        Some("pattern") => part(1).and_then(PathMatch::of_caddy),
        _ => None,
    };
    let path = path.ok_or(RememberedError("a path"))?;
    Ok(RouteKey { site, path })
}

fn object_value(key: &ObjectKey) -> Value {
    json!([key.kind.group, key.kind.kind, key.namespace, key.name])
}

fn owner_of(value: &Value) -> Result<Owner, RememberedError> {
    let part = |at: usize| value.get(at).and_then(Value::as_str).map(str::to_owned);
    match (part(0), part(1)) {
        (Some(stack), Some(environment)) => Ok(Owner::Claim { stack, environment }),
        _ => Err(RememberedError("an owner")),
    }
}

fn object_of(value: Option<&Value>) -> Result<ObjectKey, RememberedError> {
    let part = |at: usize| value?.get(at)?.as_str();
    match (part(0), part(1), part(3)) {
        (Some(group), Some(kind), Some(name)) => Ok(ObjectKey {
            kind: underpin_model::GroupKind::new(group, kind),
            namespace: part(2).map(str::to_owned),
            name: name.to_owned(),
        }),
        _ => Err(RememberedError("an object")),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

fn number(value: Option<&Value>, what: &'static str) -> Result<u64, RememberedError> {
    value.and_then(Value::as_u64).ok_or(RememberedError(what))
}

fn times(value: &Value) -> Result<BTreeMap<String, u64>, RememberedError> {
    let times = value.as_object();
    let times = times.ok_or(RememberedError("what was seen of objects"))?;
    times
        .iter()
        .map(|(uid, at)| Ok((uid.clone(), number(Some(at), "a time")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use underpin_model::{
        ClaimId, Depth, Entry, EntryState, GroupKind, LogicalKey, Object, Origin, World,
    };

    use super::*;
    use crate::Settings;

    /// R3.6: what stands there may be what entries hold.
    #[test]
    fn what_was_not_written_by_this_version_is_named_and_not_shown() {
        let good =
            json!({"form": FORM, "generation": 1, "nonce": "n", "deleted": {}, "takenDown": {}});
        let read = |value: &Value| Remembered::from_slice(value.to_string().as_bytes());
        assert_eq!(read(&good).unwrap().published.generation, 1);
        let secret = json!("hunter2");
        let route =
            json!([{"path": ["all", ""], "object": ["", "Service", "shop", "web"], "content": 0}]);
        for (field, value, expect) in [
            ("form", secret.clone(), "the form"),
            ("generation", secret.clone(), "the generation"),
            ("nonce", json!(7), "the nonce"),
            ("deleted", secret.clone(), "what was seen of objects"),
            ("contents", secret.clone(), "a part of it"),
            ("contents", json!([[[], []], secret]), "a content"),
            ("routes", json!([secret]), "a path"),
            ("routes", route, "a route's content"),
            (
                "missing",
                json!([{"path": ["all", ""], "since": "hunter2"}]),
                "a time",
            ),
        ] {
            let mut wrong = good.clone();
            wrong[field] = value;
            let error = read(&wrong).unwrap_err().to_string();
            assert_eq!(error, format!("{expect} is not as this version writes it"));
        }
        assert!(Remembered::from_slice(b"[]").is_err());
    }

    /// R3.2: a `down` that was cut before it took an object is no cause of what becomes of it later.
    #[test]
    fn r3_2_what_lives_was_not_taken_down() {
        let object = ObjectKey::namespaced(GroupKind::core("Service"), "shop", "web");
        let holder = Holder {
            object: Arc::new(object.clone()),
            uid: Some("u1".into()),
            owner: None,
        };
        let key = RouteKey {
            site: SiteAddress::parse("http://shop.example.com").ok(),
            path: PathMatch::All,
        };
        let mut remembered = Remembered::default();
        remembered.published.holders.insert(key, holder);
        let taken: BTreeMap<String, u64> = [("u1".to_owned(), 7)].into();
        let none = BTreeMap::new();
        let world = |uid: &str| {
            let value = json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "web", "namespace": "shop", "uid": uid}});
            let mut world = World::default();
            world.insert(Object::from_value(value, Depth::Full, Origin::Live).unwrap());
            world
        };
        // A run that is cut leaves the object in its claim, whoever deletes it then.
        let mut claimed = World::default();
        let mut claim = Claim::new(ClaimId("c".to_owned()), "shop", "test", "cluster");
        let entry = Entry {
            key: object.clone(),
            api_version: "v1".to_owned(),
            uid: Some("u1".to_owned()),
            state: EntryState::Applied,
            nonce: "n".to_owned(),
            created: true,
            implicit: false,
            protection: Vec::new(),
            digest: None,
        };
        claim.entries.insert(LogicalKey::of(&object, ""), entry);
        claimed.claims.push(claim);
        let mut explained = |world: &World| {
            let objects = EdgeObjects::of(world, &Settings::default());
            remembered.learn(&none, &taken, &world.claims, &objects);
            remembered.causes.taken_down.contains_key("u1")
        };
        assert!(!explained(&world("u1")));
        assert!(explained(&world("u2")));
        assert!(!explained(&world("u1")));
        assert!(!explained(&claimed));
        assert!(explained(&World::default()));
    }
}

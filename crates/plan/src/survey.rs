//! Declared files that nobody has planned to apply: what the rules can tell of them all the same.

use std::{cell::OnceCell, collections::BTreeMap, sync::Arc};

use underpin_connect::Renames;
use underpin_model::{Finding, GroupKind, ObjectKey, World};
use underpin_refs::ReferenceIndex;

use crate::{
    DeclaredEnvironment, NeedFate, Network,
    edge::{EdgeOptions, Tables},
    judge::sort_findings,
    need_fates, rules,
    simulate::with_metadata_of,
};

/// Namespaces that every cluster has without anybody's doing.
const OF_EVERY_CLUSTER: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];

/// What rules look at where nothing is planned.
pub struct Survey<'a> {
    /// What the files declare, and nothing else.
    pub declared: &'a World,
    /// The world as it is once they are applied: what is live and they do not declare is in it, if
    /// the live world is known.
    pub after: Network<'a>,
    /// The world before a change of the files, if there is one to compare with.
    pub before: Option<Network<'a>>,
    /// The live world, if it is known.
    pub live: Option<Network<'a>>,
    /// The environments that stack files declare.
    pub environments: &'a [DeclaredEnvironment],
    /// Whether the files hold what was not looked into, such as charts: it may declare anything.
    pub is_opaque: bool,
    /// What is asked of the edge.
    pub edge: EdgeOptions,
    references: OnceCell<ReferenceIndex>,
    renames: OnceCell<Renames>,
    fates: OnceCell<Vec<NeedFate>>,
    declared_names: OnceCell<DeclaredNames<'a>>,
    tables: OnceCell<Tables>,
}

/// What files declare, by kind and name.
type DeclaredNames<'a> = BTreeMap<&'a GroupKind, BTreeMap<&'a str, Vec<&'a ObjectKey>>>;

impl<'a> Survey<'a> {
    /// Of files alone; what they are compared with is added with the fields.
    pub fn new(declared: &'a World, after: Network<'a>) -> Self {
        Self {
            declared,
            after,
            before: None,
            live: None,
            environments: &[],
            is_opaque: false,
            edge: EdgeOptions::default(),
            references: OnceCell::new(),
            renames: OnceCell::new(),
            fates: OnceCell::new(),
            declared_names: OnceCell::new(),
            tables: OnceCell::new(),
        }
    }

    /// Whether what is not in the world is not there for certain. Files of one repository are
    /// hardly ever all that a cluster holds.
    pub fn is_whole(&self) -> bool {
        self.live.is_some() || self.edge.is_whole
    }

    /// What the edge serves in the world after, and in the one that it is compared with.
    pub(crate) fn routes(&self) -> &Tables {
        self.tables.get_or_init(|| {
            let former = self.former().map(|former| former.world);
            Tables::of(former, self.after.world, &self.edge.settings)
        })
    }

    /// Whether the files declare an object.
    pub fn declares(&self, key: &ObjectKey) -> bool {
        self.declared.get(key).is_some()
    }

    /// What the files declare of a kind by a name, in any namespace.
    pub(crate) fn declared_as(&self, kind: &GroupKind, name: &str) -> &[&'a ObjectKey] {
        let names = self.declared_names.get_or_init(|| {
            let mut names = DeclaredNames::new();
            for object in self.declared.objects() {
                let of_kind = names.entry(&object.key.kind).or_default();
                of_kind
                    .entry(&object.key.name)
                    .or_default()
                    .push(&object.key);
            }
            names
        });
        let named = names.get(kind).and_then(|of_kind| of_kind.get(name));
        named.map_or(&[], Vec::as_slice)
    }

    /// References in the world after.
    pub fn references(&self) -> &ReferenceIndex {
        self.references
            .get_or_init(|| ReferenceIndex::build(self.after.world))
    }

    /// The namespaces that a change of the files gave another name.
    pub fn renames(&self) -> &Renames {
        self.renames.get_or_init(|| match &self.before {
            Some(before) => Renames::detect(before.engine(), self.after.engine()),
            None => Renames::default(),
        })
    }

    /// What becomes of needs that are not met.
    pub fn need_fates(&self) -> &[NeedFate] {
        self.fates
            .get_or_init(|| need_fates(self.former(), &self.after, self.renames()))
    }

    /// Whether the files say anything of a need: who needs, what refuses, or what is needed. What
    /// is wrong in a live cluster without their doing is not theirs to tell.
    pub(crate) fn concerns(&self, fate: &NeedFate) -> bool {
        let evidence = fate.now.need.evidence.iter();
        let mut objects = evidence.map(|one| &one.object).chain(fate.policies());
        !self.is_whole() || objects.any(|key| self.declares(key))
    }

    /// The world that what is needed was allowed in: before the change, else the live one.
    pub fn former(&self) -> Option<&Network<'a>> {
        self.before.as_ref().or(self.live.as_ref())
    }
}

/// The live world once files are applied over it. What the files before a change declared and these
/// do not is taken away first.
pub fn applied(live: &World, files: &World, former: Option<&World>) -> World {
    let mut world = live.clone();
    for object in former.into_iter().flat_map(World::objects) {
        world.remove(&object.key);
    }
    for object in files.shared() {
        // What is there is not created anew.
        let object = match live.get(&object.key) {
            Some(live) => Arc::new(with_metadata_of(object, live, &["creationTimestamp"])),
            None => object.clone(),
        };
        world.insert(object);
    }
    for (kind, served) in &files.kinds {
        let known = world.kinds.entry(kind.clone());
        known.or_insert_with(|| served.clone());
    }
    world.unread.extend(files.unread.iter().cloned());
    world
}

/// Every rule over declared files. There is no run that could accept anything: no way out says so.
pub fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let asked = |rule: &&rules::Rule| !survey.edge.alone || rule.is_of_the_edge();
    let mut findings: Vec<Finding> = rules::RULES
        .iter()
        .filter(asked)
        .filter_map(|rule| rule.survey)
        .flat_map(|find| find(survey))
        .collect();
    findings.iter_mut().for_each(Finding::offer_no_acceptance);
    sort_findings(&mut findings);
    findings
}

/// Whether a namespace is there in every cluster.
pub(crate) fn is_of_every_cluster(namespace: &str) -> bool {
    OF_EVERY_CLUSTER.contains(&namespace)
}

//! The algebra of field sets against plain sets of paths, and FieldsV1 there and back.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_fieldset::{FieldPath, FieldSet, PathElement};

fn element() -> impl Strategy<Value = PathElement> {
    let keys = prop_oneof![
        Just(json!({"name": "a"})),
        Just(json!({"port": 80, "protocol": "TCP"})),
        Just(json!({"port": 443, "protocol": "TCP"})),
        Just(json!({"name": "<\"\\\n\u{1}"})),
    ];
    let value = prop_oneof![
        Just(json!(1)),
        Just(json!(2.5)),
        Just(json!("x&")),
        Just(json!(true))
    ];
    prop_oneof![
        4 => "[abc]".prop_map(PathElement::Field),
        1 => "[a.:\"é\\\\]{0,3}".prop_map(PathElement::Field),
        2 => keys.prop_map(|keys| {
            let keys = keys.as_object().unwrap().clone();
            PathElement::Key(keys.into_iter().collect())
        }),
        1 => value.prop_map(PathElement::Value),
        1 => (0_usize..3).prop_map(PathElement::Index),
    ]
}

fn paths() -> impl Strategy<Value = BTreeSet<FieldPath>> {
    let path = prop::collection::vec(element(), 1..4)
        .prop_map(|elements| elements.into_iter().collect::<FieldPath>());
    prop::collection::btree_set(path, 0..12)
}

fn set(paths: &BTreeSet<FieldPath>) -> FieldSet {
    paths.iter().collect()
}

fn members(set: &FieldSet) -> BTreeSet<FieldPath> {
    set.iter().collect()
}

fn is_below(path: &FieldPath, ancestor: &FieldPath) -> bool {
    path.elements().starts_with(ancestor.elements())
}

fn kept(paths: &BTreeSet<FieldPath>, keep: impl Fn(&FieldPath) -> bool) -> BTreeSet<FieldPath> {
    paths.iter().filter(|path| keep(path)).cloned().collect()
}

proptest! {
    #[test]
    fn sets_behave_like_sets_of_paths(left in paths(), right in paths()) {
        let (l, r) = (set(&left), set(&right));
        prop_assert_eq!(members(&l), left.clone());
        prop_assert_eq!(l.len(), left.len());
        prop_assert_eq!(l.is_empty(), left.is_empty());
        prop_assert!(left.iter().all(|path| l.contains(path)));
        prop_assert!(right.iter().all(|path| l.contains(path) == left.contains(path)));
        prop_assert_eq!(members(&l.union(&r)), &left | &right);
        prop_assert_eq!(members(&l.intersection(&r)), &left & &right);
        prop_assert_eq!(members(&l.difference(&r)), &left - &right);
        let mut subtracted = l.clone();
        subtracted.subtract(&r);
        prop_assert_eq!(&subtracted, &l.difference(&r));
        prop_assert_eq!(l.is_subset(&r), left.is_subset(&right));
        let below_right = |path: &FieldPath| right.iter().any(|other| is_below(path, other));
        prop_assert_eq!(
            members(&l.recursive_difference(&r)),
            kept(&left, |path| !below_right(path))
        );
        prop_assert_eq!(members(&l.below(&r)), kept(&left, below_right));
        let is_leaf = |path: &FieldPath| {
            left.iter().all(|other| other == path || !is_below(other, path))
        };
        prop_assert_eq!(members(&l.leaves()), kept(&left, is_leaf));
        prop_assert_eq!(l.first(), l.iter().next());
    }

    /// Equal sets are equal however they came about.
    #[test]
    fn sets_have_one_form(left in paths(), right in paths()) {
        let (l, r) = (set(&left), set(&right));
        prop_assert_eq!(l.difference(&r), set(&(&left - &right)));
        prop_assert_eq!(l.intersection(&r), set(&(&left & &right)));
        prop_assert_eq!(l.union(&r), r.union(&l));
    }

    #[test]
    fn fields_v1_there_and_back(paths in paths()) {
        let set = set(&paths);
        let fields = set.to_fields_v1();
        prop_assert_eq!(&FieldSet::from_fields_v1(&fields).unwrap(), &set);
        let text = set.to_fields_v1_json();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), fields);
    }

    /// The order is the server's: members of one level first, each level in itself sorted.
    #[test]
    fn paths_come_in_one_order(paths in paths()) {
        let listed: Vec<_> = set(&paths).iter().collect();
        for pair in listed.windows(2) {
            let [left, right] = pair else { continue };
            let (l, r) = (left.elements(), right.elements());
            let shared = l.iter().zip(r).take_while(|(l, r)| l == r).count();
            let ends = |path: &[PathElement]| path.len() == shared + 1;
            match (l.get(shared), r.get(shared)) {
                (Some(l_next), Some(r_next)) => prop_assert!(
                    (!ends(l), l_next) < (!ends(r), r_next), "{left} {right}"
                ),
                (l, r) => prop_assert!(l.is_none() && r.is_some(), "{left} {right}"),
            }
        }
    }
}

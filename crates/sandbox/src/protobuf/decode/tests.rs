//! Documents that are put together field by field.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAGIC, decode};

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(0x80 | u8::try_from(number & 0x7f).unwrap());
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [
        varint(field << 3 | 2),
        varint(value.len() as u64),
        value.to_vec(),
    ]
    .concat()
}

fn document(version: &str, kind: &str, raw: &[Vec<u8>]) -> Vec<u8> {
    let meta = [bytes(1, version), bytes(2, kind)].concat();
    let parts = [
        MAGIC.to_vec(),
        bytes(1, meta),
        bytes(2, raw.concat()),
        bytes(3, ""),
        bytes(4, ""),
    ];
    parts.concat()
}

#[track_caller]
fn check(version: &str, kind: &str, raw: &[Vec<u8>], mut expect: Value) {
    expect["apiVersion"] = json!(version);
    expect["kind"] = json!(kind);
    assert_eq!(decode(&document(version, kind, raw)), Ok(expect));
}

#[test]
fn what_was_not_set_is_left_out_unless_zero_was_set() {
    // As Go writes `metadata: {name: a}`: with every field that cannot be absent.
    let metadata = [
        bytes(1, "a"),
        bytes(2, ""),
        number(7, 0),
        bytes(8, ""),
        bytes(11, [bytes(1, "k"), bytes(2, "v")].concat()),
    ];
    let metadata = bytes(1, metadata.concat());
    check(
        "v1",
        "Namespace",
        &[metadata, bytes(2, ""), bytes(3, bytes(1, ""))],
        json!({"metadata": {"name": "a", "labels": {"k": "v"}}}),
    );
    let spec = [number(1, 0), number(5, 0), number(7, 0)];
    check(
        "apps/v1",
        "Deployment",
        &[bytes(2, spec.concat())],
        json!({"spec": {"replicas": 0}}),
    );
}

#[test]
fn fields_without_a_name_stand_in_their_parents_place() {
    let empty_dir = bytes(2, bytes(2, ""));
    let volume = [bytes(1, "cache"), empty_dir].concat();
    check(
        "v1",
        "Pod",
        &[bytes(2, bytes(1, volume))],
        json!({"spec": {"volumes": [{"name": "cache", "emptyDir": {}}]}}),
    );
}

#[test]
fn special_values_have_their_json_form() {
    let limits = [bytes(1, "cpu"), bytes(2, bytes(1, "500m"))].concat();
    let container = bytes(2, bytes(8, bytes(1, limits)));
    check(
        "v1",
        "Pod",
        &[bytes(2, container)],
        json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "500m"}}}]}}),
    );
    let percent = [number(1, 1), number(2, 0), bytes(3, "50%")].concat();
    let count = [number(1, 0), number(2, 3), bytes(3, "")].concat();
    check(
        "policy/v1",
        "PodDisruptionBudget",
        &[bytes(2, [bytes(1, percent), bytes(3, count)].concat())],
        json!({"spec": {"minAvailable": "50%", "maxUnavailable": 3}}),
    );
    let secret = bytes(2, [bytes(1, "k"), bytes(2, [0xff, 0])].concat());
    check("v1", "Secret", &[secret], json!({"data": {"k": "/wA="}}));
    let created = bytes(1, bytes(8, [number(1, 60), number(2, 0)].concat()));
    check(
        "v1",
        "ConfigMap",
        &[created],
        json!({"metadata": {"creationTimestamp": "1970-01-01T00:01:00Z"}}),
    );
    let extra = [
        bytes(1, "k"),
        bytes(2, [bytes(1, "a"), bytes(1, "b")].concat()),
    ]
    .concat();
    check(
        "authorization.k8s.io/v1",
        "SubjectAccessReview",
        &[bytes(2, bytes(5, extra))],
        json!({"spec": {"extra": {"k": ["a", "b"]}}}),
    );
    // A negative number has all ten bytes; a field that is not known is passed over.
    let value = number(2, (-5_i64).cast_unsigned());
    check(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        &[value, number(99, 1)],
        json!({"value": -5}),
    );
}

#[track_caller]
fn check_refused(body: &[u8], expect: &str) {
    assert_eq!(decode(body), Err(expect.to_owned()), "{body:?}");
}

#[test]
fn malformed_documents_are_refused() {
    check_refused(
        b"{}",
        "provided data does not appear to be a protobuf message",
    );
    check_refused(
        &document("v1", "Nothing", &[]),
        "no kind \"Nothing\" is registered for version \"v1\"",
    );
    let mut cut = document("v1", "Namespace", &[bytes(1, "name")]);
    cut.truncate(cut.len() - 7);
    check_refused(&cut, "unexpected EOF");
    check_refused(
        &document("v1", "ConfigMap", &[number(1, 1)]),
        "proto: wrong wireType",
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..60)) {
        drop(decode(&document("v1", "Pod", std::slice::from_ref(&raw))));
        drop(decode(&[MAGIC, raw.as_slice()].concat()));
    }
}

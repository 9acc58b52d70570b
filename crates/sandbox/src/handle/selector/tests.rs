use serde_json::json;
use underpin_model::GroupKind;

use super::*;
use crate::{Config, State, handle::tests::request};

fn select(kind: &str, name: &str, text: &str) -> Result<Selector, Failure> {
    let state = State::new(Config::default());
    let kind = state.kinds.of(&GroupKind::new("", kind)).expect("built in");
    let mut request = request("GET", "/", &Value::Null);
    request.query = vec![(name.to_owned(), text.to_owned())];
    Selector::of(kind, &request)
}

#[track_caller]
fn check(text: &str, expect: bool) {
    let object = json!({
        "metadata": {"name": "web-0", "labels": {"app": "web", "weight": "5", "empty": ""}},
        "spec": {"nodeName": "n1"},
    });
    let name = if text.contains("metadata.") || text.contains("spec.") {
        "fieldSelector"
    } else {
        "labelSelector"
    };
    let found = select("Pod", name, text).expect("a selector");
    assert_eq!(found.matches(&object), expect, "{text}");
}

#[test]
fn labels_are_selected_with_the_full_syntax() {
    check("", true);
    check("app=web", true);
    check("app==web", true);
    check("app=db", false);
    check("app!=db", true);
    check("missing!=db", true);
    check("app", true);
    check("!app", false);
    check("!missing", true);
    check("app in (db, web)", true);
    check("app in (db)", false);
    check("app notin (db)", true);
    check("missing notin (db)", true);
    check("app in (web),weight>4", true);
    check("weight<5", false);
    check("weight > 9", false);
    check("app>1", false);
    check("empty=", true);
    check("empty", true);
    check("empty in (,x)", true);
}

#[test]
fn fields_are_selected_where_the_kind_allows_it() {
    check("metadata.name=web-0", true);
    check("metadata.name!=web-0", false);
    check("metadata.name==web-0,spec.nodeName=n1", true);
    check("spec.nodeName=", false);
    check("metadata.name=web-0,", true);
}

#[track_caller]
fn check_refused(name: &str, text: &str, expect: &str) {
    let failure = select("Pod", name, text).expect_err("refused");
    assert_eq!((failure.code, failure.message.as_str()), (400, expect));
}

#[test]
fn what_cannot_be_read_is_refused_in_the_servers_words() {
    let label = |text, expect| check_refused("labelSelector", text, expect);
    label("a,", "found '', expected: identifier after ','");
    label(
        "a b",
        "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    );
    label(
        "(",
        "found '(', expected: !, identifier, or 'end of string'",
    );
    label(
        "a in ()",
        "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, \
         values set can't be empty",
    );
    label(
        "a in x",
        "unable to parse requirement: found 'x', expected: '('",
    );
    label("a=b c", "found 'c', expected: ',' or 'end of string'");
    let field = |text, expect| check_refused("fieldSelector", text, expect);
    field("spec.image=x", "field label not supported: spec.image");
    field("x", "invalid selector: 'x'; can't understand 'x'");
}

#[test]
fn a_demanded_name_is_known() {
    let name = |text| {
        select("Pod", "fieldSelector", text)
            .unwrap()
            .name()
            .map(str::to_owned)
    };
    assert_eq!(name("metadata.name=a").as_deref(), Some("a"));
    assert_eq!(name("metadata.name!=a"), None);
    assert_eq!(name("spec.nodeName=a"), None);
}

//! What the table leaves out.

use underpin_fieldset::schema::table::Table;

use super::prune;

#[track_caller]
fn check(text: &str, expect: &str) {
    let pruned = prune(&Table::parse(text).unwrap()).to_string();
    let (_, lines) = pruned.split_once('\n').unwrap();
    assert_eq!(lines, expect);
}

#[test]
fn types_that_no_kind_reaches_are_left_out() {
    check(
        "kind v1 A p.A\ntype p.A (b:[].B c:{}.C self:.A)\ntype p.B s\ntype p.C ?\ntype p.D .B\n",
        "kind v1 A p.A\ntype p.A (b:[].B c:{}.C self:.A)\ntype p.B s\ntype p.C ?\n",
    );
}

#[test]
fn zero_defaults_stay_where_they_are_a_lists_key() {
    check(
        "kind v1 A p.A\ntype p.A (list:[k].B={} n:n=0)\ntype p.B (k:s=\"\" n:n=1 o:b=false p:s=\"\")\n",
        "kind v1 A p.A\ntype p.A (list:[k].B n:n)\ntype p.B (k:s=\"\" n:n=1 o:b p:s)\n",
    );
}

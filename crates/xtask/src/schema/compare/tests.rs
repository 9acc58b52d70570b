//! Differences as lines.

use underpin_fieldset::schema::table::Table;

use super::lines;

#[track_caller]
fn check(server: &str, table: &str, expect: &[&str]) {
    let parse = |text: &str| Table::parse(text).unwrap();
    assert_eq!(lines(&parse(server), &parse(table)), expect);
}

const NONE: &str = "0 fields that only the table has";

#[test]
fn equal_tables_differ_in_nothing() {
    let text = "kind v1 A p.A\ntype p.A (a:s=\"x\" b:[=]s)\ntype p.B s\n";
    check(text, text, &[NONE]);
}

#[test]
fn differences_in_merging_are_named() {
    check(
        "type p.A (a:[]s b:s)\ntype p.B s\ntype p.C {}s\n",
        "type p.A !(a:[=]s c:s)\ntype p.B n\ntype p.C {}n\n",
        &[
            "p.A: server granular, table atomic",
            "p.A.a: server []s, table [=]s",
            "p.A.b: only the server has it",
            "p.B: server s, table n",
            "p.C.*: server s, table n",
            "1 fields that only the table has",
        ],
    );
}

#[test]
fn kinds_of_one_side_are_named() {
    check(
        "kind v1 A p.A\ntype p.A ()\n",
        "kind v1 B p.A\ntype p.A ()\n",
        &["only the server has v1 A", "only the table has v1 B", NONE],
    );
}

#[test]
fn defaults_are_compared_if_the_server_gives_any() {
    let table = "type p.A (a:s=\"x\" b:s=\"y\")\n";
    check("type p.A (a:s b:s)\n", table, &[NONE]);
    check(
        "type p.A (a:s=\"x\" b:s)\n",
        table,
        &["p.A.b, default: server none, table \"y\"", NONE],
    );
}

#[test]
fn a_quantity_is_the_same_by_name_and_by_form() {
    check(
        "type p.A (a:x)\n",
        "type io.k8s.apimachinery.pkg.api.resource.Quantity x\ntype p.A (a:io.k8s.apimachinery.pkg.api.resource.Quantity)\n",
        &[NONE],
    );
}

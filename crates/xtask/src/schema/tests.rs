//! The committed table, and what is checked of it.

use underpin_fieldset::schema::table::Table;

use super::{BY_HAND, check, check_text, committed};

#[test]
fn the_committed_table_passes_its_check() {
    check().unwrap();
}

#[test]
fn what_is_written_by_hand_stands_in_the_committed_table() {
    let committed = committed().unwrap();
    for text in BY_HAND {
        let kinds = text.lines().filter(|line| line.starts_with("kind "));
        for kind in kinds {
            let (_, named) = kind.split_once(' ').unwrap();
            let (named, _) = named.rsplit_once(' ').unwrap();
            let found = committed.kinds.keys().any(|kind| kind.to_string() == named);
            assert!(found, "{named}; run: cargo xtask schema --from-client-go");
        }
    }
}

#[track_caller]
fn check_refused(text: &str, part: &str) {
    let error = format!("{:#}", check_text(text).unwrap_err());
    assert!(error.contains(part), "{error}");
}

#[test]
fn a_table_that_would_not_be_written_so_is_refused() {
    let table = "source p 1\nkind v1 A p.A\ntype p.A (a:.B b:s)\ntype p.B ()\n";
    let canonical = Table::parse(table).unwrap().to_string();
    check_text(&canonical).unwrap();
    check_refused("", "no source");
    check_refused(table, "line 1 is not canonical");
    check_refused(&canonical.replace("a:.B b:s", "b:s a:.B"), "line 4");
    check_refused(&canonical.replace("source p 1\n", ""), "no source");
    check_refused(&canonical.replace("kind v1 A p.A\n", ""), "no kinds");
    check_refused(&format!("{canonical}type q.Q s\n"), "at the end");
    check_refused(&format!("{canonical}nonsense\n"), "line 6");
}

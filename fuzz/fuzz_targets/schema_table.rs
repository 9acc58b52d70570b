//! The schema table's parser must not panic, and what it reads must survive being written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_fieldset::schema::table::Table;

fuzz_target!(|text: &str| {
    if let Ok(table) = Table::parse(text) {
        assert_eq!(Table::parse(&table.to_string()).as_ref(), Ok(&table));
    }
});

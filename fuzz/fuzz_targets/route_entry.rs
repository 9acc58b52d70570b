//! Entries of the edge must not panic, whatever they hold; their blocks must lie in the text, and
//! nothing that is told of them may quote it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_route::{adaptable, parse_entry};

fuzz_target!(|text: &str| {
    let defects = match parse_entry(text) {
        Ok((items, refused)) => {
            for item in &items {
                let block = &item.block;
                assert_eq!(text.get(block.span.clone()), Some(block.body.reveal()));
                assert!(!adaptable(block, "/pages").reveal().is_empty());
            }
            refused
        }
        Err(defects) => {
            assert!(!defects.is_empty());
            defects
        }
    };
    for defect in defects {
        assert!(defect.at.line > 0 && defect.at.column > 0);
    }
});

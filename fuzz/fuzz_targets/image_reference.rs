//! What is read as a reference to an image is written out as what is read as the same; pins are read or
//! told of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underpin_image::{Host, ImageId, PinSettings, Reference, read_pins};

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        let whole = reference.to_string();
        assert_eq!(whole.parse::<Reference>().as_ref(), Ok(&reference));
    }
    let _ = text.parse::<ImageId>();
    let host = Host::new("registry.example.com").expect("a host");
    let settings = PinSettings {
        host: &host,
        aliases: &[],
        owner: Some("team"),
    };
    let (pins, errors) = read_pins("pins.txt", text, &settings);
    assert!(pins.len() + errors.len() <= text.lines().count());
});

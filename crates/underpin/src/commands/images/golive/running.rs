//! The pins that the cleaner reads where it runs: those of its last run, or its pins file.

use std::fs;

use camino::Utf8Path;
use underpin_image::{Pin, RunningPins, read_pins};
use underpin_registry::{is_url, read_document};
use underpin_source::manifests::STANDARD_INPUT;

use super::super::{setting::RegistrySetting, state};
use crate::worlds::standard_input_text;

/// What `--running` says for standard input.
const FROM_STANDARD_INPUT: &str = "-";

/// The running cleaner, as far as it is known.
pub(super) enum Running {
    /// It reads these.
    Pins(Vec<Pin>),
    /// What it reads is not known, and why.
    Unknown(String),
    /// There is none.
    NoCleaner,
}

impl Running {
    pub(super) fn pins(&self) -> RunningPins<'_> {
        match self {
            Self::Pins(pins) => RunningPins::Read(pins),
            Self::Unknown(reason) => RunningPins::Unread(reason),
            Self::NoCleaner => RunningPins::NoCleaner,
        }
    }
}

/// Reads what the running cleaner reads: files, state folders of `images plan`, URLs.
pub(super) async fn running(places: &[String], registry: &RegistrySetting) -> Running {
    if places.is_empty() {
        return Running::Unknown("it was not said what it reads, with --running".to_owned());
    }
    let mut all = Vec::new();
    for place in places {
        match pins_at(place, registry).await {
            Ok(pins) => all.extend(pins),
            Err(reason) => return Running::Unknown(reason),
        }
    }
    Running::Pins(all)
}

async fn pins_at(place: &str, registry: &RegistrySetting) -> Result<Vec<Pin>, String> {
    if is_url(place) {
        let authorities = registry.certificates.as_deref();
        let text = read_document(place, authorities.map(Utf8Path::as_std_path)).await;
        // Of a URL, what stands before the host and behind the path may be secret.
        let name = shown_url(place);
        let text = text.map_err(|error| format!("cannot read {name}: {error}"))?;
        return pins_in(&name, &text, registry);
    }
    if place == FROM_STANDARD_INPUT {
        let text = standard_input_text().map_err(|error| error.to_string())?;
        return pins_in(STANDARD_INPUT, &text, registry);
    }
    let path = Utf8Path::new(place);
    let file = if path.is_dir() {
        path.join(state::PINS)
    } else {
        path.to_owned()
    };
    pins_of_file(&file, registry)
}

/// A URL without its user and query.
fn shown_url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or(url);
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

/// The pins in a file; why they are not known otherwise.
pub(super) fn pins_of_file(
    file: &Utf8Path,
    registry: &RegistrySetting,
) -> Result<Vec<Pin>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    pins_in(file.as_str(), &text, registry)
}

/// One line that cannot be read may keep anything: nothing is known then.
fn pins_in(name: &str, text: &str, registry: &RegistrySetting) -> Result<Vec<Pin>, String> {
    let (pins, errors) = read_pins(name, text, &registry.pin_settings());
    match errors.first() {
        Some(error) => Err(error.to_string()),
        None => Ok(pins),
    }
}

#[cfg(test)]
mod tests {
    use super::shown_url;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, shown) in [
            (
                "https://a.example.com/pins.txt",
                "https://a.example.com/pins.txt",
            ),
            (
                "https://u:hunter2@a.example.com/p?token=x",
                "https://a.example.com/p",
            ),
            ("http://u@a.example.com", "http://a.example.com"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}

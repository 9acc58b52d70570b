//! A line per pair.

use std::io::{self, Write};

use super::Listing;

/// All pairs between which something is or may be allowed.
pub(crate) fn listing(mut listing: Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"from,to,allowed,unknown\n")?;
    let names: Vec<String> = listing.names().iter().map(|name| field(name)).collect();
    for beyond in listing.beyond() {
        let name = field(&beyond.name);
        for (other, outcome) in &beyond.to {
            let (allowed, unknown) = (&outcome.allowed, &outcome.unknown);
            let (allowed, unknown) = (field(&allowed.to_string()), field(&unknown.to_string()));
            writeln!(out, "{name},{},{allowed},{unknown}", field(other))?;
        }
        for (other, outcome) in &beyond.from {
            let (allowed, unknown) = (&outcome.allowed, &outcome.unknown);
            let (allowed, unknown) = (field(&allowed.to_string()), field(&unknown.to_string()));
            writeln!(out, "{},{name},{allowed},{unknown}", field(other))?;
        }
    }
    listing.each(|from, to, outcome| {
        let allowed = field(&outcome.allowed.to_string());
        let unknown = field(&outcome.unknown.to_string());
        writeln!(out, "{},{},{allowed},{unknown}", names[from], names[to])
    })
}

/// A field as RFC 4180 writes it.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

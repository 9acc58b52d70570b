//! What Caddy runs, compared with what it was given, as it comes: both are large, and neither is had twice.

use sha2::{Digest, Sha256};

/// What Caddy escapes and we do not.
const ESCAPED: [(&str, &str); 5] = [
    ("<", r"\u003c"),
    (">", r"\u003e"),
    ("&", r"\u0026"),
    ("\u{2028}", r"\u2028"),
    ("\u{2029}", r"\u2029"),
];

/// A document, and what has come so far of what Caddy says it runs.
pub(crate) struct Compared<'a> {
    /// What is still to come.
    sent: &'a [u8],
    /// The beginning of what may be an escape.
    begun: Vec<u8>,
    /// Whether it is the same so far, with its fields in the same order, as both we and Caddy write them,
    /// apart from characters that Caddy escapes.
    alike: bool,
    digest: Sha256,
}

impl<'a> Compared<'a> {
    pub(crate) fn to(sent: &'a [u8]) -> Self {
        Self {
            sent,
            begun: Vec::new(),
            alike: true,
            digest: Sha256::new(),
        }
    }

    /// More of what Caddy says.
    pub(crate) fn take(&mut self, part: &[u8]) {
        self.digest.update(part);
        if !self.alike {
            return;
        }
        if self.begun.is_empty() {
            return self.follow(part);
        }
        let mut whole = std::mem::take(&mut self.begun);
        whole.extend_from_slice(part);
        self.follow(&whole);
    }

    fn follow(&mut self, mut running: &[u8]) {
        loop {
            let both = self.sent.iter().zip(running);
            let same = both.take_while(|(sent, running)| sent == running).count();
            (self.sent, running) = (&self.sent[same..], &running[same..]);
            if running.is_empty() {
                return;
            }
            if self.sent.is_empty() {
                // The end of a line.
                self.alike = running.trim_ascii().is_empty();
                return;
            }
            let escaped = ESCAPED.iter().find_map(|(plain, escaped)| {
                let sent = self.sent.strip_prefix(plain.as_bytes())?;
                Some((sent, escaped.as_bytes()))
            });
            let Some((sent, escaped)) = escaped else {
                self.alike = false;
                return;
            };
            if let Some(rest) = running.strip_prefix(escaped) {
                (self.sent, running) = (sent, rest);
            } else {
                self.alike = escaped.starts_with(running);
                self.begun = running.to_vec();
                return;
            }
        }
    }

    /// Whether all of it came, and the digest of what came. That it is not alike says nothing.
    pub(crate) fn end(self) -> (bool, [u8; 32]) {
        let is_all = self.sent.is_empty() && self.begun.is_empty();
        (self.alike && is_all, self.digest.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However it comes.
    #[track_caller]
    fn check(sent: &str, running: &str, expect: bool) {
        for length in 1..=running.len().max(1) {
            let mut compared = Compared::to(sent.as_bytes());
            for part in running.as_bytes().chunks(length) {
                compared.take(part);
            }
            let expect = (expect, Sha256::digest(running).into());
            assert_eq!(compared.end(), expect, "{sent} {running} {length}");
        }
    }

    #[test]
    fn documents_are_compared_as_they_are_written() {
        let running = concat!(r#"{"a":"\u003cp\u003e \u0026 \u2028"}"#, "\n");
        check("{\"a\":\"<p> & \u{2028}\"}", running, true);
        check(r#"{"a":"b"}"#, r#"{"a":"u0008"}"#, false);
        check(r#"{"a":1}"#, "{\"a\":1}\n", true);
        check(r#"{"a":1}"#, r#"{"a":2}"#, false);
        check(r#"{"a":1}"#, r#"{"a":1"#, false);
        check(r#"{"a":1"#, r#"{"a":1}"#, false);
        check("{}", "null", false);
        check("", "", true);
        check("{}", "{}\n\n", true);
        check("{}", "{}\n{}", false);
        check("<", r"\u003", false);
        check("<<", r"\u003c\u003c", true);
        check("<", r"\u003cc", false);
    }
}

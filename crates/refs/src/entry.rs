//! Entries for the edge proxy: where they are written, and the Services that they send to.

use crate::host::{HostForm, ServiceHost, service_hosts};

/// Annotations on Services and Ingresses that hold an entry, a piece of Caddyfile. The text may
/// hold credentials.
pub const ENTRY_ANNOTATIONS: [&str; 2] =
    ["simple-container.com/caddyfile-entry", "underpin.dev/route"];

/// Directives whose arguments are addresses of upstreams.
const UPSTREAM_DIRECTIVES: &[&str] = &["forward_auth", "php_fastcgi", "reverse_proxy", "to"];

/// The Services by whose names an entry sends on, in the order in which they are written. Bare names
/// are passed over: the proxy lives in another namespace, and would look for them there.
pub fn entry_upstreams(entry: &str) -> Vec<ServiceHost<'_>> {
    let comments = comments(entry);
    let in_comment = |offset: usize| {
        let at = comments.partition_point(|comment| comment.end <= offset);
        comments
            .get(at)
            .is_some_and(|comment| comment.start <= offset)
    };
    let mut found = service_hosts(entry);
    let mut line = Line::default();
    found.retain(|host| {
        // A two-label name is an upstream only where no site can stand.
        host.namespace.is_some()
            && !in_comment(host.offset)
            && (host.form == HostForm::Full || line.holds_upstreams(entry, host.offset))
    });
    found
}

/// Where the comments are. One begins with `#` at the start of a word.
fn comments(entry: &str) -> Vec<std::ops::Range<usize>> {
    let mut comments = Vec::new();
    let mut at_word_start = true;
    let mut from = None;
    for (offset, c) in entry.char_indices() {
        if c == '\n' {
            comments.extend(from.take().map(|from| from..offset));
        } else if c == '#' && at_word_start {
            from.get_or_insert(offset);
        }
        at_word_start = c.is_whitespace();
    }
    comments.extend(from.map(|from| from..entry.len()));
    comments
}

/// The line that was looked at last, so that a long one is looked through once.
#[derive(Default)]
struct Line {
    upto: usize,
    holds: Option<bool>,
}

impl Line {
    /// Whether the words at `offset` are arguments of a directive that takes upstreams. Offsets
    /// ascend.
    fn holds_upstreams(&mut self, entry: &str, offset: usize) -> bool {
        const STARTS: [char; 2] = ['\n', '{'];
        let since = entry.get(self.upto..offset).unwrap_or_default();
        let known = self.holds.filter(|_| !since.contains(STARTS));
        let holds = known.unwrap_or_else(|| {
            let before = entry.get(..offset).unwrap_or_default();
            let line = before.rsplit(STARTS).next().unwrap_or_default();
            let directive = line.split_whitespace().next().unwrap_or_default();
            UPSTREAM_DIRECTIVES.contains(&directive)
        });
        *self = Self {
            upto: offset,
            holds: Some(holds),
        };
        holds
    }
}

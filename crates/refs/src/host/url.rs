//! Where the hosts of URLs stand in a text, and where users and their passwords do.

use std::ops::Range;

use super::Standing;

/// Longest URL that is looked at as a whole, in bytes; text without a space may be of any length.
const LONGEST_WORD: usize = 4096;

/// The hosts of all URLs of a text.
#[derive(Debug, Default)]
pub(crate) struct Authorities<'a> {
    /// Where a host begins, ascending, and the scheme of its URL.
    hosts: Vec<(usize, &'a str)>,
    /// What stands before an `@`, ascending.
    users: Vec<Range<usize>>,
}

impl<'a> Authorities<'a> {
    /// Whether an offset is in a user's name or password.
    pub(crate) fn is_user(&self, offset: usize) -> bool {
        let next = self.users.partition_point(|user| user.end <= offset);
        self.users
            .get(next)
            .is_some_and(|user| user.contains(&offset))
    }

    /// How a host that begins at an offset stands in the text.
    pub(crate) fn standing(&self, offset: usize) -> Standing<'a> {
        match self.hosts.binary_search_by_key(&offset, |(at, _)| *at) {
            Ok(index) => Standing::Url(self.hosts[index].1),
            Err(_) => Standing::Alone,
        }
    }
}

/// The authorities of a text: behind `://`, behind the user if there is one, and behind each comma
/// of a list of hosts.
pub(crate) fn authorities(text: &str) -> Authorities<'_> {
    let mut found = Authorities::default();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let colon = from + at;
        let begin = colon + "://".len();
        let scheme = scheme_before(text, colon);
        let is_jdbc = text[..colon - scheme.len()].ends_with("jdbc:");
        let rest = &text[begin..];
        let (user, end) = authority(rest, scheme, is_jdbc);
        if user > 0 {
            found.users.push(begin..begin + user);
        }
        let mut position = begin + user;
        for host in rest[user..end].split(',') {
            found.hosts.push((position, scheme));
            position += host.len() + 1;
        }
        from = begin + end;
    }
    if text.contains('@') {
        oracle(text, &mut found);
        go_mysql(text, &mut found);
        found.hosts.sort_unstable();
        found.users.sort_unstable_by_key(|user| user.start);
    }
    found
}

/// `jdbc:oracle:thin:user/password@//host:1521/service`, `jdbc:oracle:thin:@host:1521:sid`.
fn oracle<'a>(text: &'a str, found: &mut Authorities<'a>) {
    const PREFIX: &str = "jdbc:oracle:";
    for (at, _) in text.match_indices(PREFIX) {
        let begin = at + PREFIX.len();
        let word = word_of(&text[begin..]);
        let Some(user) = word.rfind('@') else {
            continue;
        };
        let host = begin + user + 1;
        found.users.push(begin..host);
        let slashes = text[host..].strip_prefix("//").map_or(0, |_| "//".len());
        found.hosts.push((host + slashes, "oracle"));
    }
}

/// `user:password@tcp(host:3306)/name`, as Go's driver for MySQL writes it.
fn go_mysql<'a>(text: &'a str, found: &mut Authorities<'a>) {
    const SEPARATOR: &str = "@tcp(";
    for (at, _) in text.match_indices(SEPARATOR) {
        let before = text[..at].char_indices().rev().take(LONGEST_WORD);
        let mut user = before.take_while(|(_, c)| !ends_a_word(*c));
        let begin = user.by_ref().last().map_or(at, |(begin, _)| begin);
        found.users.push(begin..at + 1);
        found.hosts.push((at + SEPARATOR.len(), "mysql"));
    }
}

/// The scheme that ends at an offset.
fn scheme_before(text: &str, end: usize) -> &str {
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let bytes = text.as_bytes()[..end].iter().rev();
    let length = bytes.take_while(|byte| is_scheme(byte)).count();
    &text[end - length..end]
}

/// Where in what follows `://` the hosts begin and end. A password may hold what should be escaped
/// in it: then the last `@` counts. Where it cannot be told what is a password there are no hosts.
fn authority(rest: &str, scheme: &str, is_jdbc: bool) -> (usize, usize) {
    let word = word_of(rest);
    let end = authority_end(word, is_jdbc);
    let plain = &word[..end];
    if let Some(at) = plain.rfind('@') {
        return (at + 1, end);
    }
    let Some(at) = word.rfind('@') else {
        return (0, end);
    };
    // `user:pass/word@host` against `host:5432/db?email=a@b`.
    let is_host = |text: &str| match text.split_once(':') {
        Some((_, port)) => text.starts_with('[') || port.parse::<u16>().is_ok_and(|port| port > 0),
        None => true,
    };
    let is_web = scheme.starts_with("http") || scheme.starts_with("ws");
    let has_port = plain.contains(':');
    let has_properties = is_jdbc && word[end..at].contains('=');
    if !plain.split(',').all(is_host) && !is_web {
        return (at + 1, at + 1 + authority_end(&word[at + 1..], is_jdbc));
    }
    // `http://registry:4873/@scope/name`.
    let is_in_path = is_web && word[..at].ends_with('/');
    if plain.split(',').all(is_host) && (!has_port || is_in_path || has_properties) {
        return (0, end);
    }
    (word.len(), word.len())
}

/// The word that a text begins with, cut where it is longer than any URL.
fn word_of(text: &str) -> &str {
    let mut longest = text.len().min(LONGEST_WORD);
    while !text.is_char_boundary(longest) {
        longest -= 1;
    }
    let text = &text[..longest];
    &text[..text.find(ends_a_word).unwrap_or(text.len())]
}

fn ends_a_word(c: char) -> bool {
    c.is_whitespace() || "\"'`<>".contains(c)
}

/// Where an authority ends. Of SQL Server, properties follow behind a semicolon.
fn authority_end(word: &str, is_jdbc: bool) -> usize {
    let mut in_brackets = false;
    for (at, c) in word.char_indices() {
        match c {
            '[' if word[..at].is_empty() || word[..at].ends_with(['@', ',']) => in_brackets = true,
            ']' if in_brackets => in_brackets = false,
            '/' | '?' | '#' | '(' | ')' | '{' | '}' | '|' | '\\' | '[' | ']' => return at,
            ';' if is_jdbc => return at,
            _ => {}
        }
    }
    word.len()
}

//! Programs in arguments and scripts that are told a host by words: `nc -z db 5432`,
//! `pg_isready -h db -p 5432`, `cat < /dev/tcp/db/5432`.

/// Programs whose first two words are a host and a port.
const CONNECTORS: &[&str] = &["nc", "ncat", "netcat", "telnet"];
/// Programs whose `-h` names a host.
const CLIENTS: &[&str] = &[
    "cqlsh",
    "ldapsearch",
    "mariadb",
    "mariadb-admin",
    "mysql",
    "mysqladmin",
    "mysqldump",
    "pg_dump",
    "pg_dumpall",
    "pg_isready",
    "pg_restore",
    "psql",
    "redis-cli",
    "valkey-cli",
    "mosquitto_sub",
    "mosquitto_pub",
];
const HOST_FLAGS: &[&str] = &["-h", "--host"];
const PORT_FLAGS: &[&str] = &["-p", "-P", "--port"];

/// The hosts, with their ports, that the commands of a script are told.
pub(super) fn hosts(script: &str) -> Vec<(&str, Option<u16>)> {
    let mut found = Vec::new();
    for command in script.split([';', '\n', '|', '&', '(', ')', '`']) {
        let words = command.split_whitespace();
        let words: Vec<&str> = words.map(|word| word.trim_matches(['"', '\''])).collect();
        found.extend(hosts_of_command(&words));
    }
    for rest in script.split("/dev/tcp/").skip(1) {
        let mut parts = rest.splitn(2, '/');
        let (host, port) = (parts.next().unwrap_or_default(), parts.next());
        let digits = port.map(|port| port.split(|c: char| !c.is_ascii_digit()).next());
        found.push((
            host,
            digits.flatten().and_then(|digits| digits.parse().ok()),
        ));
    }
    found
}

/// The hosts of one command, word by word.
pub(super) fn hosts_of_command<'a>(words: &[&'a str]) -> Vec<(&'a str, Option<u16>)> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let program = word.rsplit('/').next().unwrap_or_default();
        let rest = &words[at + 1..];
        if CONNECTORS.contains(&program) {
            found.extend(first_two(rest));
        } else if CLIENTS.contains(&program) {
            let port = after(rest, PORT_FLAGS).and_then(|port| port.parse().ok());
            found.extend(after(rest, HOST_FLAGS).map(|host| (host, port)));
        }
    }
    found
}

/// The first word behind the flags that is followed by a port.
fn first_two<'a>(words: &[&'a str]) -> Option<(&'a str, Option<u16>)> {
    let pairs = words.windows(2);
    let mut pairs =
        pairs.filter(|pair| !pair[0].starts_with('-') && pair[0].parse::<u16>().is_err());
    pairs.find_map(|pair| Some((pair[0], Some(pair[1].parse().ok()?))))
}

/// The word behind one of these flags, or in it: `-h db`, `--host=db`.
fn after<'a>(words: &[&'a str], flags: &[&str]) -> Option<&'a str> {
    words.iter().enumerate().find_map(|(at, word)| {
        if flags.contains(word) {
            return words.get(at + 1).copied();
        }
        let (flag, value) = word.split_once('=')?;
        flags.contains(&flag).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_hosts_by_words() {
        for (script, expect) in [
            (
                "until nc -z -w 2 db 5432; do sleep 1; done",
                &[("db", Some(5432))][..],
            ),
            ("pg_isready -h db -p 5432 -U app", &[("db", Some(5432))]),
            ("/usr/bin/mysql --host=db -P 3306", &[("db", Some(3306))]),
            ("redis-cli -h cache ping", &[("cache", None)]),
            ("echo > /dev/tcp/db/5432 && true", &[("db", Some(5432))]),
            ("df -h /data", &[]),
            ("nc -l 8080", &[]),
        ] {
            assert_eq!(hosts(script), expect, "{script}");
        }
    }
}

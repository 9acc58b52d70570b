//! What the loop has to say of itself: numbers for monitoring, and whether it is well.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use tokio::time::Instant;

/// After this time without a sign of life the loop is taken for stuck. Longer than the longest load.
const STUCK: Duration = Duration::from_mins(3);

/// How the edge stands.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Routes that the world asks for.
    pub desired: usize,
    /// Routes that are published.
    pub live: usize,
    /// Routes that are served on although the world does not ask for them, until they are explained,
    /// return or are given up.
    pub held: usize,
    /// Routes that wait to be replaced.
    pub waiting: usize,
    /// Objects that do not get what they ask for.
    pub conflicted: usize,
    /// Entries, or parts of them, that are not served for what they say.
    pub refused: usize,
    /// Sites over TLS for which there is no port or no certificate.
    pub unserved: usize,
    /// Published routes in whose place something else answers.
    pub astray: usize,
    /// Of what was published, the part that vanished without a cause.
    pub vanish_ratio: f64,
    /// Sources that cannot be read.
    pub unread: usize,
    /// Counts publications.
    pub generation: u64,
    /// Unix time of the last document that Caddy took on.
    pub last_load: u64,
    /// Unix time of the last verification that found everything as it must be.
    pub last_verified: u64,
    /// How long Caddy took for the last document.
    pub load_seconds: f64,
    /// How long everything else of that round took.
    pub round_seconds: f64,
    /// Documents that Caddy did not take, or that did not serve what they say.
    pub failures: u64,
    /// How often Caddy ran something else than was published.
    pub drifts: u64,
    /// Whether this process is the one that writes.
    pub writes: bool,
    /// Why the edge is not well; `None` when Caddy runs what was published, and that was verified.
    pub not_ready: Option<String>,
    /// Why nothing, or not everything, is published.
    pub holds: Vec<String>,
    /// The name of the loss that is held.
    pub loss: Option<String>,
    /// Hosts that are served, for who is asked whether to get a certificate.
    pub hosts: BTreeSet<String>,
    /// When the loop last went round.
    pub alive: Option<Instant>,
}

impl Status {
    /// Whether the loop goes round.
    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        self.alive
            .is_some_and(|alive| now.saturating_duration_since(alive) < STUCK)
    }

    /// Whether a host is served, by its name or by a wildcard.
    pub(crate) fn serves(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.hosts.contains(&host) || wildcard.is_some_and(|host| self.hosts.contains(&host))
    }

    /// Prometheus' text form.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        let mut gauge = |name: &str, help: &str, value: String| {
            let kind = if name.ends_with("_total") {
                "counter"
            } else {
                "gauge"
            };
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "# HELP underpin_edge_{name} {help}\n# TYPE underpin_edge_{name} {kind}\n\
                 underpin_edge_{name} {value}\n"
            );
        };
        let whole = |value: usize| value.to_string();
        gauge(
            "routes_desired",
            "Routes that the cluster asks for.",
            whole(self.desired),
        );
        gauge(
            "routes_live",
            "Routes that are published.",
            whole(self.live),
        );
        gauge(
            "routes_held",
            "Routes that vanished without a cause and are served on.",
            whole(self.held),
        );
        gauge(
            "routes_waiting",
            "Routes that are served on until they are replaced or their time is over.",
            whole(self.waiting),
        );
        gauge(
            "routes_conflicted",
            "Requests for routes that somebody else serves.",
            whole(self.conflicted),
        );
        gauge(
            "entries_refused",
            "Entries that are not served because of what they say.",
            whole(self.refused),
        );
        gauge(
            "routes_unserved",
            "Sites over TLS that are not served.",
            whole(self.unserved),
        );
        gauge(
            "routes_astray",
            "Published routes in whose place something else answers.",
            whole(self.astray),
        );
        gauge(
            "vanish_ratio",
            "Part of the published routes that vanished without a cause.",
            self.vanish_ratio.to_string(),
        );
        gauge(
            "sources_unread",
            "Sources that cannot be read.",
            whole(self.unread),
        );
        gauge(
            "generation",
            "Counts publications.",
            self.generation.to_string(),
        );
        gauge(
            "last_load_timestamp_seconds",
            "When Caddy last took on a document.",
            self.last_load.to_string(),
        );
        gauge(
            "last_verify_timestamp_seconds",
            "When every route was last found to be served by its own object.",
            self.last_verified.to_string(),
        );
        gauge(
            "load_seconds",
            "How long Caddy took for the last document.",
            self.load_seconds.to_string(),
        );
        gauge(
            "round_seconds",
            "How long everything before Caddy took in the last round that published.",
            self.round_seconds.to_string(),
        );
        gauge(
            "failures_total",
            "Documents that Caddy refused, or that did not serve what they say.",
            self.failures.to_string(),
        );
        gauge(
            "drifts_total",
            "How often Caddy ran something else than was published.",
            self.drifts.to_string(),
        );
        gauge(
            "writer",
            "Whether this process writes.",
            u8::from(self.writes).to_string(),
        );
        gauge(
            "ready",
            "Whether Caddy runs what was published last and that was verified.",
            u8::from(self.not_ready.is_none()).to_string(),
        );
        text
    }

    /// What people read who ask whether it is ready.
    pub(crate) fn readiness(&self) -> Result<String, String> {
        let mut text = match &self.not_ready {
            Some(why) => format!("not ready: {why}\n"),
            None => format!(
                "ready: {} routes, generation {}\n",
                self.live, self.generation
            ),
        };
        for hold in &self.holds {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "held: {hold}");
        }
        match self.not_ready {
            Some(_) => Err(text),
            None => Ok(text),
        }
    }
}

/// The host of a route, which may be asked for over TLS.
pub(crate) fn host_of(key: &underpin_route::RouteKey) -> Option<String> {
    Some(key.site.as_ref()?.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_served_by_name_and_by_wildcard() {
        let status = Status {
            hosts: ["a.example".to_owned(), "*.b.example".to_owned()].into(),
            ..Status::default()
        };
        for host in ["a.example", "A.Example.", "x.b.example"] {
            assert!(status.serves(host), "{host}");
        }
        for host in ["", "b.example", "x.y.b.example", "example", "*.b.exampl"] {
            assert!(!status.serves(host), "{host}");
        }
    }

    #[test]
    fn who_is_not_ready_says_why_and_every_number_has_its_help() {
        let mut status = Status {
            not_ready: Some("Caddy has not taken on any document yet".to_owned()),
            ..Status::default()
        };
        let text = status.readiness().unwrap_err();
        assert_eq!(text, "not ready: Caddy has not taken on any document yet\n");
        status.not_ready = None;
        status.holds.push("3 routes of 3 vanished".to_owned());
        let text = status.readiness().unwrap();
        assert_eq!(
            text,
            "ready: 0 routes, generation 0\nheld: 3 routes of 3 vanished\n"
        );
        let metrics = status.metrics();
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(' ').next().unwrap();
            assert!(metrics.contains(&format!("# HELP {name} ")), "{name}");
        }
    }
}

//! R3.3: one bad entry cannot break the others.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use underpin_tests::{eventually, terminate};

use crate::LIMIT;
use crate::stage::{ENTRY, Stage};

/// Longer than a loss waits for its replacement.
const LONGER: Duration = Duration::from_secs(4);

/// R3.3, R3.6: an entry that turns bad is served as it was; others change; what is told names the
/// object and never the entry.
#[test]
fn r3_3_an_entry_that_turns_bad_is_served_as_it_was() -> Result<()> {
    let stage = Stage::new()?;
    let kubectl = &stage.kubectl;
    for namespace in ["one", "two", "three"] {
        kubectl.run(["create", "namespace", namespace])?;
    }
    kubectl.create(&stage.service("one", &["one.example.com"])?)?;
    kubectl.create(&stage.service("two", &["two.example.com"])?)?;
    let serve = stage.serve(&[])?;
    stage.served_from("one.example.com", "one")?;
    stage.served_from("two.example.com", "two")?;
    let bad = [
        "http://one.example.com {\n  hunter2\n}",
        "http://one.example.com {\n  reverse_proxy 127.0.0.1:2019\n}",
        "http://one.example.com {\n}\nhttp://two.example.com {\n  respond hunter2\n}\n}",
        "http://one.example.com {\n  @x path_regexp (\n  respond @x 200\n}",
        "{\n  admin off\n}",
        "import /etc/passwd",
    ];
    let say = |entry: &str| {
        let value = format!("{ENTRY}={entry}");
        let of_one = ["service", "web", "--namespace", "one", &value];
        kubectl.run(["annotate", "--overwrite"].iter().chain(&of_one))
    };
    for entry in bad {
        say(entry)?;
        stage.metric_is("entries_refused", |number| number > 0)?;
        thread::sleep(LONGER);
        // Meanwhile the others change.
        let name = format!("h{}.example.com", entry.len());
        kubectl.apply("test", &stage.service("three", &[&name])?)?;
        stage.served_from(&name, "three")?;
        stage.served_from("one.example.com", "one")?;
        stage.served_from("two.example.com", "two")?;
        say(&stage.entry("one", &["one.example.com"])?)?;
        stage.metric_is("entries_refused", |number| number == 0)?;
    }
    let events = eventually("an Event", LIMIT, || {
        let text = kubectl.run(["get", "events", "-n", "one", "-o", "yaml"])?;
        Ok(text.contains("RouteRefused").then_some(text))
    })?;
    ensure!(!events.contains("hunter2"), "{events}");
    terminate(serve.id()?)?;
    let ended = serve.wait()?;
    ensure!(ended.stderr.contains("service/one/web"), "{}", ended.stderr);
    ensure!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    Ok(())
}

/// R3.1, R3.3: an entry that is refused takes no address from the object that serves it, though its own is
/// newer; and one that turns bad gives its address to nobody older.
#[test]
fn r3_3_a_bad_entry_gives_no_address_to_anybody_else() -> Result<()> {
    let stage = Stage::new()?;
    let kubectl = &stage.kubectl;
    let hosts = ["a.example.com", "b.example.com", "c.example.com"];
    for namespace in ["one", "two"] {
        kubectl.run(["create", "namespace", namespace])?;
    }
    kubectl.create(&stage.service("one", &hosts)?)?;
    let _serve = stage.serve(&[])?;
    stage.metric_is("routes_live", |number| number == 3)?;
    // Creation times are whole seconds.
    thread::sleep(Duration::from_millis(1_100));
    let newer = stage.service("two", &hosts[..1])?;
    kubectl.create(&newer.replace("reverse_proxy", "no_such_directive"))?;
    stage.metric_is("entries_refused", |number| number == 1)?;
    thread::sleep(LONGER);
    stage.served_from(hosts[0], "one")?;
    let say = |entry: &str| {
        let value = format!("{ENTRY}={entry}");
        let of_two = ["service", "web", "--namespace", "two", &value];
        kubectl.run(["annotate", "--overwrite"].iter().chain(&of_two))
    };
    say(&stage.entry("two", &hosts[..1])?)?;
    stage.served_from(hosts[0], "two")?;
    // It is not even read.
    say("http://a.example.com { } }")?;
    stage.metric_is("entries_refused", |number| number > 0)?;
    thread::sleep(LONGER);
    stage.served_from(hosts[0], "two")?;
    stage.metric_is("routes_live", |number| number == 3)
}

/// A site over TLS for which there is no port is told once: a number, a line and an Event.
#[test]
fn a_site_over_tls_without_a_port_is_told() -> Result<()> {
    let stage = Stage::new()?;
    stage.kubectl.run(["create", "namespace", "one"])?;
    let service = stage.service("one", &["one.example.com"])?;
    let both = service.replace("http://one.", "https://tls.example.com, http://one.");
    stage.kubectl.create(&both)?;
    let serve = stage.serve(&[])?;
    stage.served_from("one.example.com", "one")?;
    stage.metric_is("routes_unserved", |number| number == 1)?;
    eventually("an Event", LIMIT, || {
        let text = stage
            .kubectl
            .run(["get", "events", "-n", "one", "-o", "yaml"])?;
        Ok(text.contains("RouteUnserved").then_some(()))
    })?;
    terminate(serve.id()?)?;
    let ended = serve.wait()?;
    let told = ended
        .stderr
        .matches("https://tls.example.com is not served")
        .count();
    ensure!(told == 1, "{}", ended.stderr);
    Ok(())
}

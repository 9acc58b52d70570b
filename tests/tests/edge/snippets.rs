//! R3.4, R3.5: what the snippets do when a request comes, beside that Caddy takes them.

use std::fs;

use anyhow::{Result, ensure};

use crate::stage::{ENTRY, Stage};
use crate::upstream;

/// The body of each site's block. `LIVE` answers, at `DEAD` nobody listens.
const SITES: [(&str, &str); 9] = [
    ("plain", "reverse_proxy LIVE\nimport gzip"),
    ("dead", "reverse_proxy DEAD"),
    (
        "server",
        "reverse_proxy DEAD {\nimport lb_retries_2\n}\nimport handle_server_error",
    ),
    (
        "within",
        "reverse_proxy DEAD {\nimport handle_server_error\n}",
    ),
    (
        "bucket",
        "reverse_proxy LIVE {\nimport handle_bucket_error\n}",
    ),
    (
        "gone",
        "reverse_proxy DEAD {\nimport handle_bucket_error\n}",
    ),
    ("static", "import handle_static\nreverse_proxy LIVE"),
    (
        "hsts",
        "import hsts\nimport handle_server_error\nreverse_proxy LIVE",
    ),
    (
        "cors",
        "import cors_origin https://app.example\nreverse_proxy LIVE {\nimport remove_hsts_header\n}",
    ),
];

/// A request, and what of its answer must be so: a header without a value must not be there.
struct Case {
    site: &'static str,
    method: &'static str,
    path: &'static str,
    with: &'static [(&'static str, &'static str)],
    status: u16,
    headers: &'static [(&'static str, Option<&'static str>)],
    body: &'static str,
}

/// A GET without headers.
const fn get(site: &'static str, path: &'static str, status: u16, body: &'static str) -> Case {
    Case {
        site,
        method: "GET",
        path,
        with: &[],
        status,
        headers: &[],
        body,
    }
}

const HSTS: &str = "strict-transport-security";
const UPSTREAM: &str = "answered for shop";

const CASES: [Case; 22] = [
    get("plain", "/", 200, UPSTREAM),
    get("plain", "/status/404", 404, UPSTREAM),
    get("dead", "/", 502, ""),
    get("server", "/", 502, "the page of 502"),
    get("server", "/any/thing.css?x=y", 502, "the page of 502"),
    Case {
        method: "POST",
        headers: &[("cache-control", Some("no-store")), (HSTS, None)],
        ..get("server", "/", 502, "the page of 502")
    },
    Case {
        with: &[("If-None-Match", "*")],
        ..get("server", "/", 502, "")
    },
    get("within", "/", 502, "the page of 502"),
    get("bucket", "/", 200, UPSTREAM),
    get("bucket", "/status/403", 403, UPSTREAM),
    get("bucket", "/status/404", 404, "the page of 404"),
    get("bucket", "/status/500", 500, "the page of 500"),
    get("bucket", "/status/502", 502, "the page of 502"),
    Case {
        method: "POST",
        headers: &[("cache-control", Some("no-store"))],
        ..get("bucket", "/status/404", 404, "the page of 404")
    },
    get("gone", "/", 502, "the page of 502"),
    get("static", "/static/logo.txt", 200, "a logo"),
    get("static", "/static/none.txt", 200, UPSTREAM),
    get("static", "/", 200, UPSTREAM),
    Case {
        headers: &[(HSTS, Some("max-age=31536000; includeSubDomains"))],
        ..get("hsts", "/", 200, UPSTREAM)
    },
    Case {
        with: &[("X-Forwarded-Proto", "http")],
        headers: &[("location", Some("https://hsts.example.com/x?y=z"))],
        ..get("hsts", "/x?y=z", 308, "")
    },
    Case {
        headers: &[
            ("access-control-allow-origin", Some("https://app.example")),
            (HSTS, None),
        ],
        ..get("cors", "/", 200, UPSTREAM)
    },
    Case {
        method: "OPTIONS",
        with: &[("Access-Control-Request-Method", "PUT")],
        headers: &[("access-control-allow-origin", Some("https://app.example"))],
        ..get("cors", "/", 204, "")
    },
];

/// R3.4: each page and each snippet, as requests find them.
#[test]
fn r3_4_pages_and_snippets_answer_as_they_say() -> Result<()> {
    let stage = Stage::new()?;
    let pages = stage.folder().join("pages");
    fs::create_dir_all(pages.join("static"))?;
    for status in ["404", "500", "502"] {
        let page = format!("the page of {status}");
        fs::write(pages.join(format!("{status}.html")), page)?;
    }
    fs::write(pages.join("static/logo.txt"), "a logo")?;
    stage.kubectl.run(["create", "namespace", "shop"])?;
    let name = upstream::name("shop");
    let live = format!("http://{name}:{}", stage.upstreams.port("shop")?);
    let dead = format!("http://{name}:1");
    let sites = SITES.map(|(host, body)| {
        let body = body.replace("LIVE", &live).replace("DEAD", &dead);
        format!("http://{host}.example.com {{\n{body}\n}}\n")
    });
    stage
        .kubectl
        .create(&stage.service("shop", &["ready.example.com"])?)?;
    let _serve = stage.serve(&["--pages", &pages.display().to_string()])?;
    stage.served_from("ready.example.com", "shop")?;
    let entry = format!("{ENTRY}={}", sites.concat());
    let of = ["service", "web", "--namespace", "shop", &entry];
    stage
        .kubectl
        .run(["annotate", "--overwrite"].iter().chain(&of))?;
    stage.served_from("plain.example.com", "shop")?;
    ensure!(stage.metric("entries_refused")? == 0, "one is refused");
    let mut wrong = Vec::new();
    for case in CASES {
        let host = format!("{}.example.com", case.site);
        let answer = stage
            .client()
            .ask(case.method, &host, case.path, case.with)?;
        let has = |(name, value): &(&str, Option<&str>)| answer.header(name) == *value;
        let is_right = answer.status == case.status
            && answer.body.contains(case.body)
            && case.headers.iter().all(has);
        if !is_right {
            let Case {
                method, path, with, ..
            } = case;
            wrong.push(format!("{method} {host}{path} {with:?}: {answer:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // R3.6: another host's answer has nothing of it.
    let answer = stage.client().ask("GET", "unknown.example.net", "/", &[])?;
    ensure!(
        answer.status == 503 && answer.header(HSTS).is_none(),
        "{answer:?}"
    );
    Ok(())
}

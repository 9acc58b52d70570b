//! The snippets that entries may import (R3.5), for Caddy 2.6.2 and later.

/// A snippet that entries may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Its name.
    pub name: &'static str,
    /// What it does, for people.
    pub purpose: &'static str,
    /// What it stands for outside of `reverse_proxy`; `None` where it makes no sense.
    block: Option<&'static str>,
    /// What it stands for within `reverse_proxy`.
    proxy: Option<&'static str>,
    /// What it adds to the site: Caddy takes the handling of errors at the top of a site alone.
    pub(crate) errors: Option<&'static str>,
}

/// Stands in the texts for the folder of the error pages.
const PAGES: &str = "PAGES_FOLDER";

/// In place of an answer, the page with the status's number. `method` lets the page be sent whatever
/// was asked.
const ERROR_PAGE: &str = "\
handle_errors {
\theader Cache-Control no-store
\tmethod GET
\trewrite * /{err.status_code}.html
\tfile_server {
\t\troot PAGES_FOLDER
\t\tstatus {err.status_code}
\t}
}
";

const BUCKET_PAGE: &str = "\
@bucket_error status 404 500 502
handle_response @bucket_error {
\theader Cache-Control no-store
\tmethod GET
\trewrite * /{rp.status_code}.html
\tfile_server {
\t\troot PAGES_FOLDER
\t\tstatus {rp.status_code}
\t}
}
";

const CORS: &str = "\
header {
\tAccess-Control-Allow-Origin \"{args.0}\"
\tAccess-Control-Allow-Methods \"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\"
\tAccess-Control-Allow-Headers \"{http.request.header.Access-Control-Request-Headers}\"
\tVary Origin
\tdefer
}
@cors_preflight {
\tmethod OPTIONS
\theader Access-Control-Request-Method *
}
respond @cors_preflight 204
";

const HSTS: &str = "\
header Strict-Transport-Security \"max-age=31536000; includeSubDomains\"
@behind_plain_http header X-Forwarded-Proto http
redir @behind_plain_http https://{host}{uri} 308
";

const STATIC: &str = "\
@static_page {
\tpath /static/*
\tfile {
\t\troot PAGES_FOLDER
\t\ttry_files {path}
\t}
}
handle @static_page {
\tfile_server {
\t\troot PAGES_FOLDER
\t}
}
";

/// Every provided snippet, sorted by name.
pub const SNIPPETS: &[Snippet] = &[
    Snippet {
        name: "cors_origin",
        purpose: "lets pages of the origin that is given read the answers",
        block: Some(CORS),
        proxy: None,
        errors: None,
    },
    Snippet {
        name: "gzip",
        purpose: "compresses answers",
        block: Some("encode gzip\n"),
        proxy: None,
        errors: None,
    },
    Snippet {
        name: "handle_bucket_error",
        purpose: "answers with pages of its own where a bucket says 404, 500 or 502",
        block: Some(""),
        proxy: Some(BUCKET_PAGE),
        errors: Some(ERROR_PAGE),
    },
    Snippet {
        name: "handle_server_error",
        purpose: "answers with pages of its own where the upstream cannot be reached",
        block: Some(""),
        proxy: Some(""),
        errors: Some(ERROR_PAGE),
    },
    Snippet {
        name: "handle_static",
        purpose: "serves what the error pages refer to, below /static/",
        block: Some(STATIC),
        proxy: None,
        errors: None,
    },
    Snippet {
        name: "hsts",
        purpose: "tells browsers to use TLS alone, and sends those who did not there",
        block: Some(HSTS),
        proxy: None,
        errors: None,
    },
    Snippet {
        name: "lb_retries_2",
        purpose: "tries two further times before it gives up",
        block: None,
        proxy: Some("lb_retries 2\n"),
        errors: None,
    },
    Snippet {
        name: "remove_hsts_header",
        purpose: "takes the upstream's Strict-Transport-Security off",
        block: Some("header -Strict-Transport-Security\n"),
        proxy: Some("header_down -Strict-Transport-Security\n"),
        errors: None,
    },
];

impl Snippet {
    /// What it stands for in a place.
    pub(crate) fn text(&self, in_proxy: bool) -> Option<&'static str> {
        if in_proxy { self.proxy } else { self.block }
    }
}

/// The snippet of a name.
pub(crate) fn provided(name: &str) -> Option<&'static Snippet> {
    SNIPPETS.iter().find(|snippet| snippet.name == name)
}

/// The names of all snippets.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SNIPPETS.iter().map(|snippet| snippet.name)
}

/// A snippet's text with the folder of the error pages put in.
pub(crate) fn with_pages(text: &str, pages: &str) -> String {
    text.replace(PAGES, pages)
}

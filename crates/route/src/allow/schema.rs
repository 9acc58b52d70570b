//! What entries may use of Caddy, as one table: handlers, matchers, and the fields of each.
//!
//! What is not listed is refused, so a later version of Caddy cannot add a way out.

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Texts, numbers and truths, in lists and maps as deep as they go.
    Plain,
    /// An object with these fields and no others.
    Fields(&'static [(&'static str, Shape)]),
    /// A list.
    Each(&'static Shape),
    /// A list of routes.
    Routes,
    /// A list of handlers.
    Handlers,
    /// A list of sets of matchers.
    Matchers,
    /// The address of an upstream.
    Dial,
    /// A port of an upstream, in place of its own.
    Port,
    /// A time after which something is done again, in nanoseconds.
    Interval,
    /// A folder, which must be that of the error pages.
    Pages,
    /// This text.
    Text(&'static str),
}

use Shape::{Dial, Each, Fields, Handlers, Interval, Matchers, Pages, Plain, Port, Routes, Text};

/// A handler or matcher with its fields.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// A field without which it would do something else than what is allowed.
    pub(super) required: Option<&'static str>,
}

const fn row(name: &'static str, shape: Shape) -> Row {
    Row {
        name,
        shape,
        required: None,
    }
}

/// The fields of a route.
pub(super) const ROUTE: Shape = Fields(&[
    ("group", Plain),
    ("handle", Handlers),
    ("match", Matchers),
    ("terminal", Plain),
]);

const HEADER_OPERATIONS: Shape = Fields(&[
    ("add", Plain),
    ("delete", Plain),
    ("replace", Plain),
    ("set", Plain),
]);

const RESPONSE_MATCH: Shape = Fields(&[("headers", Plain), ("status_code", Plain)]);

const HEADERS: &[(&str, Shape)] = &[
    ("request", HEADER_OPERATIONS),
    (
        "response",
        Fields(&[
            ("add", Plain),
            ("deferred", Plain),
            ("delete", Plain),
            ("replace", Plain),
            ("require", RESPONSE_MATCH),
            ("set", Plain),
        ]),
    ),
];

const REWRITE: &[(&str, Shape)] = &[
    ("method", Plain),
    ("path_regexp", Plain),
    ("query", Plain),
    ("strip_path_prefix", Plain),
    ("strip_path_suffix", Plain),
    ("uri", Plain),
    ("uri_substring", Plain),
];

const RESPONSE_HANDLER: Shape = Fields(&[
    ("match", RESPONSE_MATCH),
    ("routes", Routes),
    ("status_code", Plain),
]);

const LOAD_BALANCING: Shape = Fields(&[
    ("retries", Plain),
    ("retry_match", Matchers),
    ("selection_policy", Plain),
    ("try_duration", Plain),
    ("try_interval", Plain),
]);

/// Without `upstream`, which would ask another host than the one that is sent to.
const HEALTH_CHECKS: Shape = Fields(&[
    (
        "active",
        Fields(&[
            ("expect_body", Plain),
            ("expect_status", Plain),
            ("fails", Plain),
            ("follow_redirects", Plain),
            ("headers", Plain),
            ("interval", Interval),
            ("max_size", Plain),
            ("passes", Plain),
            ("path", Plain),
            ("port", Port),
            ("timeout", Plain),
            ("uri", Plain),
        ]),
    ),
    ("passive", Plain),
]);

/// HTTP alone, and nothing that reads the proxy's files or goes by another host.
const TRANSPORT: Shape = Fields(&[
    ("compression", Plain),
    ("dial_fallback_delay", Plain),
    ("dial_timeout", Plain),
    ("expect_continue_timeout", Plain),
    ("keep_alive", Plain),
    ("max_conns_per_host", Plain),
    ("max_response_header_size", Plain),
    ("protocol", Text("http")),
    ("read_buffer_size", Plain),
    ("read_timeout", Plain),
    ("response_header_timeout", Plain),
    (
        "tls",
        Fields(&[
            ("handshake_timeout", Plain),
            ("insecure_skip_verify", Plain),
            ("server_name", Plain),
        ]),
    ),
    ("versions", Plain),
    ("write_buffer_size", Plain),
    ("write_timeout", Plain),
]);

const REVERSE_PROXY: Shape = Fields(&[
    ("buffer_requests", Plain),
    ("buffer_responses", Plain),
    ("flush_interval", Plain),
    ("handle_response", Each(&RESPONSE_HANDLER)),
    ("headers", Fields(HEADERS)),
    ("health_checks", HEALTH_CHECKS),
    ("load_balancing", LOAD_BALANCING),
    ("max_buffer_size", Plain),
    ("request_buffers", Plain),
    ("response_buffers", Plain),
    ("rewrite", Fields(REWRITE)),
    ("stream_close_delay", Plain),
    ("stream_timeout", Plain),
    ("transport", TRANSPORT),
    ("trusted_proxies", Plain),
    (
        "upstreams",
        Each(&Fields(&[("dial", Dial), ("max_requests", Plain)])),
    ),
]);

/// Files of the pages' folder. Without `root` they would be those of the proxy's own folder.
const FILE_SERVER: Row = Row {
    name: "file_server",
    shape: Fields(&[
        ("canonical_uris", Plain),
        ("hide", Plain),
        ("index_names", Plain),
        ("pass_thru", Plain),
        ("root", Pages),
        ("status_code", Plain),
    ]),
    required: Some("root"),
};

/// Every handler that entries may use, sorted.
pub(super) const HANDLERS: &[Row] = &[
    row(
        "authentication",
        Fields(&[(
            "providers",
            Fields(&[(
                "http_basic",
                Fields(&[
                    ("accounts", Plain),
                    ("hash", Plain),
                    ("hash_cache", Plain),
                    ("realm", Plain),
                ]),
            )]),
        )]),
    ),
    row("copy_response", Fields(&[("status_code", Plain)])),
    row(
        "copy_response_headers",
        Fields(&[("exclude", Plain), ("include", Plain)]),
    ),
    row(
        "encode",
        Fields(&[
            (
                "encodings",
                Fields(&[("br", Plain), ("gzip", Plain), ("zstd", Plain)]),
            ),
            ("match", RESPONSE_MATCH),
            ("minimum_length", Plain),
            ("prefer", Plain),
        ]),
    ),
    row("error", Fields(&[("error", Plain), ("status_code", Plain)])),
    FILE_SERVER,
    row("headers", Fields(HEADERS)),
    row(
        "map",
        Fields(&[
            ("defaults", Plain),
            ("destinations", Plain),
            ("mappings", Plain),
            ("source", Plain),
        ]),
    ),
    row("request_body", Fields(&[("max_size", Plain)])),
    row("reverse_proxy", REVERSE_PROXY),
    row("rewrite", Fields(REWRITE)),
    row(
        "static_response",
        Fields(&[
            ("abort", Plain),
            ("body", Plain),
            ("close", Plain),
            ("headers", Plain),
            ("status_code", Plain),
        ]),
    ),
    row(
        "subroute",
        Fields(&[
            ("errors", Fields(&[("routes", Routes)])),
            ("routes", Routes),
        ]),
    ),
    row("vars", Fields(&[("root", Pages)])),
];

/// Every matcher that entries may use, sorted. Without `expression`, whose language can ask for any
/// placeholder without writing one.
pub(super) const MATCHERS: &[Row] = &[
    row("client_ip", Plain),
    Row {
        name: "file",
        shape: Fields(&[
            ("root", Pages),
            ("split_path", Plain),
            ("try_files", Plain),
            ("try_policy", Plain),
        ]),
        required: Some("root"),
    },
    row("header", Plain),
    row("header_regexp", Plain),
    row("host", Plain),
    row("method", Plain),
    row("not", Matchers),
    row("path", Plain),
    row("path_regexp", Plain),
    row("protocol", Plain),
    row("query", Plain),
    row("remote_ip", Plain),
];

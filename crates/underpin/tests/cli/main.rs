//! The command line as a stranger meets it: exit code, standard output and standard error of every
//! command, without a cluster.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests: a failure is a panic, and its output is for whoever reads it"
)]

mod check;
mod check_tree;
mod completions;
mod documents;
mod examples;
mod exit_codes;
mod explain;
mod frozen;
mod golive;
mod harness;
mod help;
mod images;
mod rbac;
mod reach;
mod registry;
mod routes;
mod routes_render;
mod streams;
mod target;
mod usage;
mod why;

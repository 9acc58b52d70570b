//! Developer chores: `cargo xtask --help`.

#![allow(
    clippy::disallowed_methods,
    reason = "developer chores run in real time"
)]

mod bench;
mod book;
mod cargo;
mod conformance;
mod control_plane;
mod generate;
mod protobuf;
mod reference;
#[cfg(test)]
mod release;
mod schema;
mod soak;
mod test;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// The allocator of the released programs for Linux, so that what is measured is theirs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer chores")]
enum Task {
    /// Measure, on the test control plane.
    #[command(subcommand)]
    Bench(bench::Task),
    /// Compare what policies allow to what another tool says, on its cases.
    Conformance(conformance::Args),
    /// The Kubernetes control plane that end-to-end tests run on.
    #[command(subcommand)]
    ControlPlane(control_plane::Task),
    /// Write the generated files, or check that they are up to date; check the book either way.
    Generate(generate::Args),
    /// Make the table of the binary form of Kubernetes' own kinds.
    Protobuf(protobuf::Args),
    /// Make the table of how the fields of Kubernetes' own kinds merge, or compare a server to it.
    Schema(schema::Args),
    /// Play random stacks on the sandbox, killing every run at every write.
    Soak(soak::Args),
    /// Run all tests, end-to-end tests included; builds what they need first.
    Test(test::Args),
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Bench(task) => bench::run(&task),
        Task::Conformance(args) => conformance::run(&args),
        Task::ControlPlane(task) => control_plane::run(task),
        Task::Generate(args) => generate::run(&args),
        Task::Protobuf(args) => protobuf::run(&args),
        Task::Schema(args) => schema::run(&args),
        Task::Soak(args) => soak::run(&args),
        Task::Test(args) => test::run(&args),
    };
    result.unwrap_or_else(|error| {
        // Nobody is left to tell when standard error is closed.
        drop(writeln!(io::stderr(), "error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// A command's own exit code, as this process's.
fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

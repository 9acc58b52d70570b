//! The command line: arguments, commands, rendering, progress and exit codes.
//!
//! Invariant: nothing here decides what is safe; `underpin-plan` does. Only `output` writes to
//! standard output and standard error.

mod checking;
mod child;
mod cli;
mod commands;
mod demo;
mod error;
mod exit;
mod frozen_file;
mod given;
mod interrupt;
mod kubeconfig_file;
mod lines;
mod output;
mod progress;
mod render;
mod seed;
mod setup;
mod telling;
mod trees;
mod worlds;

pub use cli::{Cli, run};
pub use exit::Exit;
pub use render::{CommandSchema, command_schemas};

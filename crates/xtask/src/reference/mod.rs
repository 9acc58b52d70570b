//! The pages of the book that are made from what the program itself says.

mod command_line;
mod mistakes;
mod rules;
mod stack_file;

pub(crate) use command_line::page as command_line;
pub(crate) use mistakes::page as mistakes;
pub(crate) use rules::page as rules;
pub(crate) use stack_file::page as stack_file;

/// What stands at the head of every generated page.
const NOTICE: &str = "<!-- Made by `cargo xtask generate`: changes to this page are lost. -->";

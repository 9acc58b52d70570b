//! One entry's piece of Caddyfile: its sites and paths, and what no entry may hold.
//!
//! Only the structure is read here: addresses, blocks, imports. Which directives are allowed is
//! decided on what Caddy itself makes of a block (`allow`), for there nothing is hidden.

mod body;
mod defect;
mod entry;
mod lexer;

pub use body::Body;
pub use defect::{Defect, DefectKind, Position};
pub use entry::{Block, BlockKind, Import, Item, PathDirective, parse_entry};

//! What is wrong with an entry, told by place and never by quoting it.

use std::fmt;

use crate::AddressError;

/// A place in the text of an entry, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing that is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Defect {
    /// Where.
    pub at: Position,
    /// What.
    pub kind: DefectKind,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.kind)
    }
}

/// What can be wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DefectKind {
    /// Nothing but white space and comments.
    Empty,
    /// Longer than annotations can be.
    TooLong,
    /// Blocks in blocks beyond what anybody writes.
    TooDeep,
    /// A character that cannot be seen, or that ends a line for some programs only.
    Invisible(char),
    /// A quotation that does not end.
    Quotation,
    /// A word that follows a quotation without a space.
    BehindQuotation,
    /// A backslash outside of quotes before something that Caddy's versions read differently.
    Backslash,
    /// `<<`, which begins a text over many lines for some versions of Caddy.
    Heredoc,
    /// A brace in quotes, which is a brace all the same for some versions of Caddy.
    QuotedBrace,
    /// A `{` that is not the last word of a line with a directive or an address.
    OpeningBrace,
    /// A `}` that does not stand alone on its line.
    ClosingBrace,
    /// A `}` without its `{`: what follows would stand outside of the entry's site.
    BreakOut,
    /// A `{` without its `}`.
    Unclosed,
    /// A block of global options.
    GlobalOptions,
    /// The definition of a snippet or of a named route.
    Definition,
    /// `import` outside of a block.
    ImportOutside,
    /// `import` without a name.
    ImportNothing,
    /// `import` of something that is no provided snippet; the nearest of those, if any is near.
    Import(Option<String>),
    /// A provided snippet in a place that it is not made for: within `reverse_proxy`, or outside.
    ImportPlace {
        /// The snippet.
        snippet: &'static str,
        /// Whether it was imported within `reverse_proxy`.
        in_proxy: bool,
    },
    /// Replaced by a variable of the proxy's environment before anything else is read.
    Variable,
    /// A placeholder that reads the proxy's environment, files or machine.
    Placeholder(&'static str),
    /// `tls` of a site: an entry is adapted for itself, and certificates are the edge's.
    Tls,
    /// A directive outside of any block.
    DirectiveOutside,
    /// An address that no block follows.
    NoBlock,
    /// Something that is no address of a site.
    Address(AddressError),
    /// `handle`, `handle_path` or `route` without a path that begins with `/`.
    NoPath,
    /// A path of an entry for all hosts that matches everything.
    AnyPath,
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Address(error) => return error.fmt(f),
            Self::Invisible(c) => {
                let number = u32::from(*c);
                return write!(f, "the character U+{number:04X} cannot be seen; remove it");
            }
            Self::Import(near) => {
                f.write_str("imports what is no provided snippet; files cannot be imported")?;
                return match near {
                    Some(near) => write!(f, "; did you mean {near}?"),
                    None => Ok(()),
                };
            }
            Self::ImportPlace { snippet, in_proxy } => {
                let place = if *in_proxy { "within" } else { "outside of" };
                return write!(
                    f,
                    "the snippet {snippet} is not made for use {place} reverse_proxy"
                );
            }
            Self::Placeholder(family) => {
                return write!(
                    f,
                    "placeholders {{{family}…}} read what belongs to the proxy and are not allowed"
                );
            }
            Self::Empty => "there is nothing but comments",
            Self::TooLong => "the entry is longer than 256 KiB",
            Self::TooDeep => "more than 32 blocks stand in one another",
            Self::Quotation => "the quotation that begins here does not end",
            Self::BehindQuotation => "a space must follow the quotation that begins here",
            Self::Backslash => {
                "versions of Caddy read a backslash before this differently; put the word in quotes"
            }
            Self::Heredoc => {
                "a word that begins with << is read differently by versions of Caddy; put the text \
                 in quotes"
            }
            Self::QuotedBrace => {
                "versions of Caddy take a lone brace in quotes for a brace; write it within a longer \
                 text"
            }
            Self::OpeningBrace => {
                "an opening brace must be the last word of a line that begins with a directive or an \
                 address"
            }
            Self::ClosingBrace => "a closing brace must stand alone on its line",
            Self::BreakOut => "this brace closes nothing: an entry cannot leave its own block",
            Self::Unclosed => "the block that is opened here is not closed",
            Self::GlobalOptions => "an entry cannot set options of the whole proxy",
            Self::Definition => {
                "an entry cannot define snippets or named routes; write their contents where they \
                 are used"
            }
            Self::ImportOutside => "an import must stand within the block of an address",
            Self::ImportNothing => "the import names no snippet",
            Self::Variable => {
                "{$…} would put in variables of the proxy's own environment and is not allowed"
            }
            Self::Tls => "certificates belong to the edge; take tls out of the entry",
            Self::DirectiveOutside => {
                "this directive stands outside of any block; write http://HOST { … } around it"
            }
            Self::NoBlock => "a block in braces must follow the address on its line",
            Self::NoPath => "a path that begins with / must follow, and a block in braces",
            Self::AnyPath => {
                "this path answers for every host in place of the page that says that nothing is \
                 configured; name a path such as /shop*"
            }
        };
        f.write_str(text)
    }
}

//! The structure of an entry: sites with their addresses, and paths for all hosts.

use std::{collections::BTreeSet, ops::Range};

use super::{
    body::Body,
    defect::{Defect, DefectKind, Position},
    lexer::{Token, tokens},
};
use crate::{PathMatch, SiteAddress, snippets};

/// The longest entry: what all annotations of an object may hold together.
const MAXIMUM_ENTRY: usize = 256 * 1024;
/// Blocks in one another.
const MAXIMUM_DEPTH: usize = 32;
/// Defects that are told of one entry.
const MAXIMUM_DEFECTS: usize = 20;

/// The directive of an entry that serves a path of all hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathDirective {
    /// `handle`.
    Handle,
    /// `handle_path`, which takes the path off before it sends on.
    HandlePath,
    /// `route`.
    Route,
}

impl PathDirective {
    const ALL: [Self; 3] = [Self::Handle, Self::HandlePath, Self::Route];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::HandlePath => "handle_path",
            Self::Route => "route",
        }
    }
}

/// What a block stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Addresses of sites.
    Site,
    /// A directive and the path that it matches, for all hosts.
    Path(PathDirective, PathMatch),
}

/// A block with what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it stands behind.
    pub kind: BlockKind,
    /// What stands between its braces.
    pub body: Body,
    /// Where that is in the entry.
    pub span: Range<usize>,
    /// The snippets that it imports, in order.
    pub imports: Box<[Import]>,
}

/// The import of a provided snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The snippet.
    pub snippet: &'static str,
    /// Whether it stands within `reverse_proxy`.
    pub in_proxy: bool,
    /// Where its name is, counted from the beginning of the block's body.
    pub span: Range<usize>,
}

/// One block of an entry with what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it begins.
    pub at: Position,
    /// The addresses of a site, sorted, each once; none for a path.
    pub addresses: BTreeSet<SiteAddress>,
    /// The block.
    pub block: Block,
}

/// Reads an entry. What is wrong with single addresses is told beside the items, which are served
/// without them; everything else refuses the entry.
pub fn parse_entry(text: &str) -> Result<(Vec<Item>, Vec<Defect>), Vec<Defect>> {
    let start = Position { line: 1, column: 1 };
    if text.len() > MAXIMUM_ENTRY {
        return Err(vec![Defect {
            at: start,
            kind: DefectKind::TooLong,
        }]);
    }
    let (tokens, mut defects) = tokens(text);
    if let Some(offset) = text.find("{$") {
        let at = position(text, offset);
        defects.push(Defect {
            at,
            kind: DefectKind::Variable,
        });
    }
    let mut parser = Parser {
        text,
        lines: lines(&tokens),
        tokens: &tokens,
        next: 0,
        items: Vec::new(),
        refused: Vec::new(),
        defects,
    };
    parser.placeholders();
    while let Some(line) = parser.line() {
        parser.item(line);
    }
    let Parser {
        items,
        mut refused,
        mut defects,
        ..
    } = parser;
    if defects.is_empty() && items.is_empty() && refused.is_empty() {
        defects.push(Defect {
            at: start,
            kind: DefectKind::Empty,
        });
    }
    if defects.is_empty() {
        refused.truncate(MAXIMUM_DEFECTS);
        return Ok((items, refused));
    }
    defects.sort();
    defects.dedup();
    defects.truncate(MAXIMUM_DEFECTS);
    Err(defects)
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
    Position {
        line: count(before.matches('\n').count()),
        column: count(line.chars().count()),
    }
}

/// The words of each line.
fn lines(tokens: &[Token]) -> Vec<Range<usize>> {
    let starts = (0..tokens.len()).filter(|at| tokens[*at].first);
    let starts: Vec<usize> = starts.chain([tokens.len()]).collect();
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    lines: Vec<Range<usize>>,
    /// The next line.
    next: usize,
    items: Vec<Item>,
    refused: Vec<Defect>,
    defects: Vec<Defect>,
}

impl<'a> Parser<'a> {
    fn line(&mut self) -> Option<&'a [Token]> {
        let line = self.lines.get(self.next)?.clone();
        self.next += 1;
        self.tokens.get(line)
    }

    fn defect(&mut self, at: Position, kind: DefectKind) {
        self.defects.push(Defect { at, kind });
    }

    fn placeholders(&mut self) {
        for token in self.tokens {
            for family in ["env.", "file.", "system."] {
                if token.text.contains(&format!("{{{family}")) {
                    self.defect(token.at, DefectKind::Placeholder(family));
                }
            }
        }
    }

    /// An item at the top of the entry.
    fn item(&mut self, line: &'a [Token]) {
        let [head, rest @ ..] = line else { return };
        let word = head.text.as_str();
        let directive = PathDirective::ALL
            .into_iter()
            .find(|directive| directive.name() == word);
        let outside = if head.is("}") {
            let alone = rest.is_empty();
            self.defect(
                head.at,
                if alone {
                    DefectKind::BreakOut
                } else {
                    DefectKind::ClosingBrace
                },
            );
            return;
        } else if head.is("{") {
            DefectKind::GlobalOptions
        } else if word.starts_with('(') || word.starts_with("&(") {
            DefectKind::Definition
        } else if word == "import" {
            DefectKind::ImportOutside
        } else if let Some(directive) = directive {
            return self.path_item(directive, line);
        } else if !word.contains(['.', ':', ',', '{', '*', '[']) {
            DefectKind::DirectiveOutside
        } else {
            return self.site(line);
        };
        self.defect(head.at, outside);
        if let Some(open) = line.last().filter(|last| last.is("{")) {
            self.block(open, BlockKind::Site);
        }
    }

    fn path_item(&mut self, directive: PathDirective, line: &'a [Token]) {
        let head = &line[0];
        let path = match line {
            [_, path, open] if open.is("{") => PathMatch::of_caddy(&path.text),
            _ => None,
        };
        let kind = match path {
            None => Err(DefectKind::NoPath),
            Some(path) if path.is_catch_all() => Err(DefectKind::AnyPath),
            Some(path) => Ok(BlockKind::Path(directive, path)),
        };
        let open = line.last().filter(|last| last.is("{"));
        match (kind, open) {
            (Ok(kind), Some(open)) => {
                if let Some(block) = self.block(open, kind) {
                    self.items.push(Item {
                        at: head.at,
                        addresses: BTreeSet::new(),
                        block,
                    });
                }
            }
            (kind, open) => {
                self.defect(head.at, kind.err().unwrap_or(DefectKind::NoPath));
                if let Some(open) = open {
                    self.block(open, BlockKind::Site);
                }
            }
        }
    }

    /// Addresses, over several lines where one ends in a comma, and their block.
    fn site(&mut self, line: &'a [Token]) {
        let at = line[0].at;
        let mut words: Vec<&Token> = line.iter().collect();
        while words.last().is_some_and(|last| last.text.ends_with(',')) {
            let Some(more) = self.line() else { break };
            words.extend(more);
        }
        let Some(open) = words.pop_if(|last| last.is("{")) else {
            let brace = words.iter().find(|word| word.is("{"));
            return match brace {
                Some(brace) => self.defect(brace.at, DefectKind::OpeningBrace),
                None => self.defect(at, DefectKind::NoBlock),
            };
        };
        let mut addresses = BTreeSet::new();
        for word in words {
            if word.is("{") || word.is("}") {
                self.defect(word.at, DefectKind::OpeningBrace);
                continue;
            }
            for address in word.text.split(',').filter(|address| !address.is_empty()) {
                match SiteAddress::parse(address) {
                    Ok(address) => {
                        addresses.insert(address);
                    }
                    Err(error) => self.refused.push(Defect {
                        at: word.at,
                        kind: DefectKind::Address(error),
                    }),
                }
            }
        }
        let block = self.block(open, BlockKind::Site);
        if let Some(block) = block.filter(|_| !addresses.is_empty()) {
            self.items.push(Item {
                at,
                addresses,
                block,
            });
        }
    }

    /// The block that `open` begins, up to its closing brace.
    fn block(&mut self, open: &Token, kind: BlockKind) -> Option<Block> {
        let start = open.span.end;
        let mut imports = Vec::new();
        // The directives whose blocks are open.
        let mut directives: Vec<&str> = Vec::new();
        while let Some(line) = self.line() {
            let [head, rest @ ..] = line else { continue };
            if head.is("}") {
                if !rest.is_empty() {
                    self.defect(head.at, DefectKind::ClosingBrace);
                }
                if directives.pop().is_some() {
                    continue;
                }
                let span = start..head.span.start;
                return Some(Block {
                    kind,
                    body: Body::new(self.text.get(span.clone()).unwrap_or_default()),
                    span,
                    imports: imports.into(),
                });
            }
            // For the address under which it is adapted, Caddy would drop it without a word.
            if head.text == "tls" && directives.is_empty() {
                self.defect(head.at, DefectKind::Tls);
            }
            if head.text == "import" {
                let in_proxy = directives.last() == Some(&"reverse_proxy");
                if let Some(import) = self.import(line, in_proxy, start) {
                    imports.push(import);
                }
            }
            let opens = self.braces(line);
            if opens {
                directives.push(&head.text);
            }
            if directives.len() > MAXIMUM_DEPTH {
                self.defect(head.at, DefectKind::TooDeep);
                self.next = self.lines.len();
                return None;
            }
        }
        self.defect(open.at, DefectKind::Unclosed);
        None
    }

    /// Whether a line within a block opens a further one; braces in other places are told.
    fn braces(&mut self, line: &[Token]) -> bool {
        let last = line.len() - 1;
        for (index, token) in line.iter().enumerate() {
            let misplaced = (token.is("{") && (index != last || index == 0)) || token.is("{}");
            if misplaced {
                self.defect(token.at, DefectKind::OpeningBrace);
            } else if token.is("}") {
                self.defect(token.at, DefectKind::ClosingBrace);
            }
        }
        line[last].is("{")
    }

    fn import(&mut self, line: &[Token], in_proxy: bool, start: usize) -> Option<Import> {
        let Some(name) = line.get(1) else {
            self.defect(line[0].at, DefectKind::ImportNothing);
            return None;
        };
        let Some(snippet) = snippets::provided(&name.text).filter(|_| !name.quoted) else {
            let near = underpin_model::nearest(&name.text, snippets::names());
            let near = near.map(str::to_owned);
            self.defect(name.at, DefectKind::Import(near));
            return None;
        };
        if snippet.text(in_proxy).is_none() {
            let kind = DefectKind::ImportPlace {
                snippet: snippet.name,
                in_proxy,
            };
            self.defect(name.at, kind);
            return None;
        }
        Some(Import {
            snippet: snippet.name,
            in_proxy,
            span: name.span.start - start..name.span.end - start,
        })
    }
}

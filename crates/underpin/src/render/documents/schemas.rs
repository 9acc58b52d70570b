use std::io;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    DiffDocument, DownDocument, ErrorDocument, HistoryDocument, ImportDocument, RbacDocument,
    RulesDocument, RunDocument, SandboxDocument, ShownPlanDocument, StatusDocument,
};
use crate::{
    Exit,
    render::{
        check::CheckDocument,
        images::{
            ImagesGoliveDocument, ImagesPlanDocument, ImagesReapDocument, ImagesRestoreDocument,
        },
        reach::document::ReachDocument,
        routes::Rendered,
        why::WhyDocument,
    },
};

/// The schema of the document of one command.
#[derive(Debug)]
pub struct CommandSchema {
    /// The command.
    pub command: &'static str,
    /// What its documents hold.
    document: fn(&str) -> Value,
}

/// The version of all documents so far.
const VERSION: u32 = 1;

/// Every command that answers with a document.
const COMMANDS: &[CommandSchema] = &[
    CommandSchema::new("check", document::<CheckDocument>),
    CommandSchema::new("plan", document::<ShownPlanDocument<'static>>),
    CommandSchema::new("up", document::<RunDocument<'static>>),
    CommandSchema::new("down", document::<DownDocument<'static>>),
    CommandSchema::new("import", document::<ImportDocument<'static>>),
    CommandSchema::new("status", document::<StatusDocument<'static>>),
    CommandSchema::new("history", document::<HistoryDocument<'static>>),
    CommandSchema::new("diff", document::<DiffDocument<'static>>),
    CommandSchema::new("why", document::<WhyDocument>),
    CommandSchema::new("reach", document::<ReachDocument<'static>>),
    CommandSchema::new("routes-check", document::<CheckDocument>),
    CommandSchema::new("routes-render", document::<Rendered>),
    CommandSchema::new("images-plan", document::<ImagesPlanDocument<'static>>),
    CommandSchema::new("images-reap", document::<ImagesReapDocument<'static>>),
    CommandSchema::new("images-restore", document::<ImagesRestoreDocument<'static>>),
    CommandSchema::new("images-golive", document::<ImagesGoliveDocument<'static>>),
    CommandSchema::new("rbac", document::<RbacDocument<'static>>),
    CommandSchema::new("sandbox", document::<SandboxDocument<'static>>),
    CommandSchema::new("explain", document::<RulesDocument>),
];

/// The schemas of the documents of all commands, in the order of the help.
pub fn command_schemas() -> &'static [CommandSchema] {
    COMMANDS
}

impl CommandSchema {
    const fn new(command: &'static str, document: fn(&str) -> Value) -> Self {
        Self { command, document }
    }

    /// The file name of the schema.
    pub fn file(&self) -> String {
        format!("{}.v{VERSION}.json", self.command)
    }

    /// The JSON Schema.
    pub fn json_schema(&self) -> Value {
        let mut schema = (self.document)(self.command);
        if let Some(schema) = schema.as_object_mut() {
            let id = format!("https://underpin.dev/schemas/{}", self.file());
            schema.insert("$id".to_owned(), Value::from(id));
            let title = format!("Answer of underpin {}", self.command);
            schema.insert("title".to_owned(), Value::from(title));
        }
        schema
    }
}

/// The name of the schema of a command's documents, as they give it.
fn name(command: &str) -> String {
    format!("underpin.dev/{command}/v{VERSION}")
}

/// A document: what all have, and what the command's own has.
#[derive(Serialize, JsonSchema)]
struct Document<T> {
    /// The name of this schema.
    schema: String,
    /// The exit code.
    exit: u8,
    #[serde(flatten)]
    rest: T,
}

/// What a command answers.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "only its schema is used: what is written is one or the other"
)]
enum Answer<T> {
    /// The answer.
    Answered(T),
    /// There is none.
    Failed(ErrorDocument),
}

fn document<T: JsonSchema>(command: &str) -> Value {
    // As it is written: what is null is there.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings
        .into_generator()
        .into_root_schema_for::<Document<Answer<T>>>();
    let mut schema = schema.to_value();
    if let Some(property) = schema.pointer_mut("/properties/schema") {
        property["const"] = json!(name(command));
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("description");
    }
    schema
}

/// Writes a document as it comes, without holding it: it may be large.
pub(crate) fn stream(
    out: &mut dyn io::Write,
    command: &str,
    exit: Exit,
    rest: impl Serialize,
) -> io::Result<()> {
    let document = Document {
        schema: name(command),
        exit: exit.code(),
        rest,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// A document as it is written.
pub(crate) fn text(command: &str, exit: Exit, rest: impl Serialize) -> String {
    let document = Document {
        schema: name(command),
        exit: exit.code(),
        rest,
    };
    match serde_json::to_value(&document) {
        Ok(value) => format!("{value:#}\n"),
        // Only maps with keys that are no text could fail, and there are none.
        Err(_) => String::new(),
    }
}

use clap::Args;
use underpin_deploy::{Import, ImportFrom, Imported};
use underpin_model::LabelSelector;

use super::{consent, write};
use crate::{
    Exit,
    cli::{RunArgs, TargetArgs, VariableArgs, given},
    error::CommandError,
    output::Format,
    progress::Progress,
    render,
    setup::{self, Extras, deployment, within_deadline},
};

/// Record ownership of what another tool deployed, changing nothing else
///
/// Writes the environment's claim: where it lives and which objects are its own. The objects
/// themselves are not touched; the next `up` stamps them.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// The namespace the environment lives in.
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) namespace: String,
    /// How the objects are told: `manifests` (same kind and name as declared), `helm=RELEASE`, or
    /// `selector=LABELS` such as selector=app=wallet,tier in (web).
    #[arg(long, value_name = "SOURCE", default_value = "manifests", value_parser = source)]
    pub(crate) from: ImportFrom,
}

fn source(text: &str) -> Result<ImportFrom, String> {
    match text.split_once('=') {
        None if text == "manifests" => Ok(ImportFrom::Manifests),
        Some(("helm", release)) if !release.is_empty() => {
            Ok(ImportFrom::HelmRelease(release.to_owned()))
        }
        Some(("selector", selector)) => LabelSelector::parse(selector)
            .map(ImportFrom::Selector)
            .ok_or_else(|| {
                format!(
                    "`{selector}` is not a label selector; write app=wallet, or tier in (web, api)"
                )
            }),
        _ => Err("write manifests, helm=RELEASE or selector=LABELS".to_owned()),
    }
}

pub(crate) async fn import(args: ImportArgs) -> Result<Exit, CommandError> {
    let stop = setup::stop(&args.run);
    let manifests = matches!(args.from, ImportFrom::Manifests).then_some(&args.variables);
    if manifests.is_none() && !args.variables.variables.is_empty() {
        return Err(CommandError::usage(
            "--var is about manifests, and this import does not read them",
            "leave it out, or import --from manifests",
        ));
    }
    let extras = Extras {
        run: Some(&args.run),
        manifests,
        command: "import",
        ..Extras::default()
    };
    let deployment = within_deadline(&args.run, deployment(&args.target, extras)).await?;
    let format = args.target.output;
    let request = Import {
        namespace: args.namespace.clone(),
        from: args.from.clone(),
    };
    let progress = Progress::new(format);
    let environment = &deployment.environment;
    let work = async {
        let confirm = |imported: &Imported| {
            consent(args.run.yes, format, || {
                render::text::import_plan(environment, imported)
            })
        };
        Ok(underpin_deploy::import(&deployment, &request, &progress, &stop, confirm).await?)
    };
    let imported = within_deadline(&args.run, work).await?;
    write(&match format {
        Format::Text => render::text::imported(&deployment.environment, &imported),
        Format::Json => render::json::imported(&deployment.environment, &imported),
    })?;
    Ok(Exit::Done)
}

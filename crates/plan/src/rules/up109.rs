#![doc = include_str!("docs/UP109.md")]

use underpin_model::{Action, Code, Finding, KeepReason, Owner, Severity, Step};

use crate::{
    Context,
    context::evidence_of,
    ownership::{LOST_CLAIM, claim_owner},
    rules::Rule,
    wording::{accept, change_it_in_git},
};

/// The rule's code.
pub const CODE: Code = Code(109);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "foreign-owner",
    summary: "an object of the plan exists and belongs to another stack, environment or tool",
    documentation: include_str!("docs/UP109.md"),
    check: Some(check),
    survey: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    context
        .plan
        .steps
        .iter()
        .filter_map(|step| judge(context, step))
        .collect()
}

fn judge(context: &Context<'_>, step: &Step) -> Option<Finding> {
    if let Action::Keep(KeepReason::Foreign(owner)) = &step.action {
        return step
            .desired
            .is_some()
            .then(|| declared(context, step, owner));
    }
    if matches!(step.action, Action::Keep(_)) {
        return None;
    }
    let live = context.before.get(&step.key)?;
    let mut claims = context.ownership.claims_of(context.before, live);
    let other = claims.find(|claim| Some(&claim.id) != context.claim_id())?;
    Some(also_recorded(context, step, &claim_owner(other)))
}

fn declared(context: &Context<'_>, step: &Step, owner: &Owner) -> Finding {
    // Living together in a namespace that somebody else made is a standing risk, told by UP112.
    let home = step.key.is_namespace() && step.key.name == context.home();
    let together =
        home && (context.plan.placement.recorded || context.plan.placement.placement.shared);
    let severity = if together {
        Severity::Warn
    } else {
        Severity::Block
    };
    let message = if together {
        format!(
            "{} belongs to {owner} and is left alone; this environment lives in it",
            step.key
        )
    } else {
        format!(
            "{} is declared here, but exists and belongs to {owner}",
            step.key
        )
    };
    let mut finding = finding(context, step, owner, severity, message);
    let by_tool = step
        .before
        .as_ref()
        .filter(|_| matches!(owner, Owner::Tool { .. }));
    let in_git = by_tool.and_then(|live| change_it_in_git(live, context.before));
    finding.help = in_git.into_iter().collect();
    finding.help.extend(ways_out(context, step, owner));
    finding
}

fn also_recorded(context: &Context<'_>, step: &Step, owner: &Owner) -> Finding {
    let destructive = step.action.is_destructive();
    let severity = if destructive {
        Severity::Block
    } else {
        Severity::Warn
    };
    let verb = if destructive {
        "would be deleted"
    } else {
        "would be changed"
    };
    let message = format!(
        "{} {verb}, but {owner} records the same object as its own: two environments hold it",
        step.key
    );
    let mut finding = finding(context, step, owner, severity, message);
    finding.help = vec![format!(
        "decide whose it is: remove it from the manifests of the other, and let one `up` drop it"
    )];
    if destructive {
        finding.help.push(accept(CODE, &step.key.subject()));
    }
    finding
}

fn finding(
    context: &Context<'_>,
    step: &Step,
    owner: &Owner,
    severity: Severity,
    message: String,
) -> Finding {
    let mut finding = Finding::new(CODE, severity, step.key.subject(), message);
    finding.evidence = vec![evidence_of(
        context,
        &step.key,
        format!("belongs to {owner}"),
    )];
    finding.place = finding.evidence.first().and_then(|one| one.place.clone());
    finding.step = Some(step.key.clone());
    finding
}

fn ways_out(context: &Context<'_>, step: &Step, owner: &Owner) -> Vec<String> {
    let plan = context.plan;
    let import = |from: &str| {
        format!(
            "underpin import -e {} --namespace {}{from}",
            plan.environment,
            context.home()
        )
    };
    match owner {
        Owner::Claim { stack, .. } if *stack == plan.stack => vec![format!(
            "put ${{environment}} in the name, such as {}-${{environment}}: both environments \
             declare it",
            step.key.name
        )],
        Owner::Claim { stack, environment } => vec![
            "give it a name of its own".to_owned(),
            format!("or remove it from {stack}/{environment}, deploy that, and run again"),
        ],
        Owner::Tool { tool, name } if *tool == LOST_CLAIM => {
            let mut help = vec![format!("if it is this environment's: {}", import(""))];
            if *name != context.environment_name() {
                help.push(format!(
                    "it carries the stamp of {name}, whose claim is gone; import it there"
                ));
            }
            help
        }
        Owner::Tool { tool: "Helm", name } if release(context, name).is_some() => {
            let name = release(context, name).unwrap_or_default();
            vec![
                format!(
                    "to take the release over: {}",
                    import(&format!(" --from helm={name}"))
                ),
                "or give the object a name of its own".to_owned(),
            ]
        }
        Owner::Tool { tool, .. } => vec![
            format!(
                "to take it over: stop {tool} from managing it, then: {}",
                import("")
            ),
            "or give the object a name of its own".to_owned(),
        ],
        Owner::Manager(_) | Owner::Unknown => vec![import("")],
    }
}

/// The name of a Helm release that is stored where this environment lives, and so can be imported.
fn release<'n>(context: &Context<'_>, qualified: &'n str) -> Option<&'n str> {
    match qualified.split_once('/') {
        Some((namespace, name)) => (namespace == context.home()).then_some(name),
        None => Some(qualified),
    }
}

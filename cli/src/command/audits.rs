//! The audit of a model's attribution.

use openledger::audit_attribution::{run, AuditArgs, Cost, Figure, Report, Verdict};
use openledger::context::Context;
use openledger::contribute::Inputs;
use openledger::error::{Class, CliError, Result};
use openledger::show;

use super::args;
use super::run::Out;

pub(super) async fn attribution(ctx: &Context, out: &Out, args: args::AuditAttribution) -> Result<()> {
    let mut skipped = Vec::new();
    let inputs = Inputs { paths: args.heldout, text_field: args.text_field, license: None, uses: None };
    let heldout = inputs.documents(&mut skipped).filter_map(|d| String::from_utf8(d.bytes).ok()).collect();
    let (model_id, version) = args.model;
    let audit = AuditArgs {
        model_id,
        version,
        node: ctx.node_url()?,
        answers: args.answer,
        heldout,
        questions: args.questions,
        contributors: args.contributors,
        seed: args.seed,
        out: args.out,
        plan: args.plan,
    };
    // On standard error: standard output has the result alone.
    let found = run(ctx, audit, &|cost| eprintln!("{}", cost_text(cost))).await?;
    out.print(&found, || match &found.report {
        Some(report) => format!("{}report in {}", report_text(report), found.folder.display()),
        None => String::new(),
    })?;
    let findings = found.report.as_ref().map(Report::findings).unwrap_or_default();
    match findings.is_empty() {
        true => Ok(()),
        false => Err(CliError::new(
            Class::Verification,
            "E-CLI-099",
            show::clean(&findings.join("; ")),
            "do not use this model, and publish the report: anyone can repeat it",
        )),
    }
}

fn cost_text(cost: &Cost) -> String {
    let minutes = (cost.seconds * cost.trainings as f64 / 60.0).ceil();
    format!(
        "{} questions, {} trainings of {} steps; one took its developer {:.0} s, so about {minutes} min on such a machine",
        cost.questions, cost.trainings, cost.steps, cost.seconds
    )
}

fn report_text(report: &Report) -> String {
    let figure = |f: &Figure| format!("{:.2} ({:.2} to {:.2})", f.mean, f.low, f.high);
    let mut text = match report.reproduced {
        true => "recipe and data give the published weights, to the bit\n".to_string(),
        false => "recipe and data give other weights here than those published\n".to_string(),
    };
    if let Some(agreement) = &report.agreement {
        text.push_str(&format!(
            "paid most is whose absence harms most: {}\nrank correlation: {}\ntotal variation: {}\n",
            figure(&agreement.top1),
            figure(&agreement.rho),
            figure(&agreement.total_variation)
        ));
    }
    let rows: Vec<Vec<String>> = report
        .audited
        .iter()
        .filter_map(|one| {
            let standing = one.standing?;
            let verdict = match standing.verdict {
                Verdict::Fair => "",
                Verdict::Favoured => "favoured",
                Verdict::Neglected => "neglected",
            };
            Some(vec![
                one.contributor.clone(),
                one.contributions.to_string(),
                format!("{:.1} %", 100.0 * standing.paid),
                format!("{:.1} %", 100.0 * standing.changed),
                figure(&standing.excess),
                verdict.into(),
            ])
        })
        .collect();
    text.push_str(&show::table(&["contributor", "contributions", "paid", "changed", "excess", ""], &rows));
    text
}

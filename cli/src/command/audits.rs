//! What contributors are paid: the audit of a model's attribution, the estimate of a draft.

use openledger::audit_attribution::{run, AuditArgs, Cost, Figure, Report, Verdict};
use openledger::context::Context;
use openledger::contribute::Inputs;
use openledger::error::{Class, CliError, Result};
use openledger::estimate::{self, Estimate, EstimateArgs};
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
        memory: args.memory << 30,
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
        "{} questions, {} trainings of {} steps and {} tokens; by the developer's word one took {:.0} s, so about {minutes} min \
         on such a machine",
        cost.questions, cost.trainings, cost.steps, cost.tokens, cost.seconds
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

pub(super) async fn estimate(ctx: &Context, out: &Out, args: args::Estimate) -> Result<()> {
    let mut skipped = Vec::new();
    let inputs = Inputs { paths: args.paths, text_field: args.text_field, license: None, uses: None };
    let wanted = EstimateArgs {
        datanet_id: args.datanet,
        model: args.model,
        answers: args.answer,
        node: ctx.node_url()?,
    };
    let drafts: Vec<_> = inputs.documents(&mut skipped).collect();
    let found = estimate::run(ctx, drafts, wanted).await?;
    out.print(&found, || {
        let unread = skipped.iter().map(|(name, why)| show::clean(&format!("not read: {name}: {why}\n")));
        format!("{}{}", unread.collect::<String>(), estimate_text(&found))
    })
}

fn estimate_text(found: &Estimate) -> String {
    let mut text = String::new();
    for document in &found.report.documents {
        if let Some(refused) = &document.refused {
            text.push_str(&format!("{}: refused, {}; {}\n", document.name, refused.reason, refused.advice));
        } else if document.duplicate_of.is_some() {
            text.push_str(&format!("{}: repeats an earlier draft\n", document.name));
        } else if !document.personal.is_empty() {
            let masked = &document.personal;
            text.push_str(&format!(
                "{}: masked are {} e-mail addresses, {} telephone numbers, {} bank accounts\n",
                document.name, masked.emails, masked.phones, masked.ibans
            ));
        }
    }
    for (name, id) in &found.on_chain {
        text.push_str(&format!("{name}: contribution {id} is the same text\n"));
    }
    let rows: Vec<Vec<String>> = found
        .drafts
        .iter()
        .map(|draft| {
            let similar = draft.similar.iter().map(|one| {
                let answers = one.counted.as_ref().map_or(0, |counted| counted.answers);
                format!("{} ({} words, {answers} answers)", one.contribution_id, one.words)
            });
            vec![
                draft.name.clone(),
                show::percent(draft.novelty_bps),
                draft.duplicate_of.clone().unwrap_or_default(),
                similar.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    text.push_str(&show::table(&["draft", "new", "copy of", "similar contributions"], &rows));
    match &found.earnings {
        None => text.push_str("no estimate of earnings: it needs --model and answers of it that were paid for\n"),
        Some(earned) => text.push_str(&format!(
            "of {} paid questions {} would pay you: {:.0} {} a question ({:.0} to {:.0}), {:.1} % of the data's part \
             ({:.1} to {:.1}), if the model stays as it is\n",
            earned.questions,
            earned.uses,
            earned.per_question.mean,
            found.denom,
            earned.per_question.low,
            earned.per_question.high,
            100.0 * earned.share.mean,
            100.0 * earned.share.low,
            100.0 * earned.share.high
        )),
    }
    show::clean(&text)
}

//! Commands that recompute what others say.

use openledger::context::{Context, DENOM};
use openledger::error::{Class, CliError, Result};
use openledger::{dispute as disputes, explain, html, show, usage as uses, verify as verifier};
use openledger_types::api::AnswerBundle;
use openledger_types::msg::arbiter::Outcome;
use rand::RngCore;

use super::args;
use super::run::Out;

pub(super) async fn usage(ctx: &Context, out: &Out, command: args::Usage) -> Result<()> {
    let found = match command {
        args::Usage::Show { contribution_id } => uses::show(ctx, contribution_id).await?,
        args::Usage::Prove { contribution_id, dry_run: true } => {
            uses::prove(ctx, None, contribution_id).await?
        }
        args::Usage::Prove { contribution_id, dry_run: false } => {
            let signer = ctx.signer(None).await?;
            uses::prove(ctx, Some(&signer), contribution_id).await?
        }
    };
    out.print(&found, || usage_text(&found))
}

fn usage_text(found: &uses::Usage) -> String {
    let word = |proved: &uses::Proved| match proved {
        uses::Proved::Counted(tx) => format!("counted, tx {tx}"),
        uses::Proved::Holds => "the proof holds; nothing was sent".into(),
        uses::Proved::Refused(why) => why.clone(),
    };
    let mut text = format!("contribution {} of {}\n", found.contribution_id, found.contributor);
    if !found.answers.is_empty() {
        let rows: Vec<Vec<String>> = found
            .answers
            .iter()
            .map(|a| {
                let amount = show::amount(a.amount.u128(), &a.denom);
                let (node, epoch) = (a.node_id.to_string(), a.epoch.to_string());
                vec![node, epoch, a.answers.to_string(), amount, word(&a.proved)]
            })
            .collect();
        text.push_str(&show::table(&["node", "epoch", "answers", "paid", ""], &rows));
    }
    if !found.training.is_empty() {
        let rows: Vec<Vec<String>> = found
            .training
            .iter()
            .map(|t| {
                let model = format!("{}:{}", t.model_id, t.version);
                vec![model, t.times_seen.to_string(), word(&t.proved)]
            })
            .collect();
        text.push_str(&show::table(&["model", "times seen", ""], &rows));
    }
    for problem in &found.problems {
        text.push_str(&show::clean(&format!("not read: {problem}\n")));
    }
    let earned: Vec<String> =
        found.answers_counted.earned.iter().map(|a| show::amount(a.amount.u128(), &a.denom)).collect();
    text.push_str(&format!(
        "counted on chain: {} answers ({}), seen {} times by {} trainings\n",
        found.answers_counted.answers,
        if earned.is_empty() { "nothing earned".into() } else { earned.join(", ") },
        found.training_counted.times_seen,
        found.training_counted.entries.len()
    ));
    text
}

/// The node that is asked for blobs: the one that was named, else the one that answered.
async fn source_of(ctx: &Context, bundle: &AnswerBundle) -> Result<String> {
    match ctx.node_url() {
        Ok(url) => Ok(url),
        Err(_) => {
            let node = ctx.reader().await?.node(bundle.receipt.receipt.node_id).await?;
            Ok(node.endpoint.trim_end_matches('/').to_string())
        }
    }
}

pub(super) async fn dispute(ctx: &Context, out: &Out, args: args::Dispute) -> Result<()> {
    let bundle = verifier::read_bundle(ctx, &args.answer).await?;
    let node = source_of(ctx, &bundle).await?;
    let signer = ctx.signer(None).await?;
    let fresh = ctx.home.join(format!("dispute-{:016x}", rand::rng().next_u64()));
    let cache = args.cache.as_ref().unwrap_or(&fresh);
    let found = disputes::dispute(ctx, &signer, &bundle, &node, cache).await;
    // A folder that stays behind only costs space; the result is what matters.
    let _ = std::fs::remove_dir_all(&fresh);
    let found = found?;
    out.print(&found, || {
        let outcome = match found.outcome {
            Outcome::Guilty => "the node is guilty: the root is void and its bond is cut after the veto",
            Outcome::NotGuilty => "the node has shown that its value follows; the bond depends on the votes",
            Outcome::Contested => "it is contested that the arbiter can decide it: the auditors vote",
            Outcome::Lapsed => "the case ended before the dispute did",
        };
        format!(
            "case {} against node {}: {outcome}\n{} picks among {} slots, {} transactions",
            found.case_id,
            found.node_id,
            found.picks,
            found.slots,
            found.txs.len()
        )
    })
}

pub(super) async fn verify(ctx: &Context, out: &Out, args: args::Verify) -> Result<()> {
    let bundle = verifier::read_bundle(ctx, &args.answer).await?;
    let node = source_of(ctx, &bundle).await?;
    let fresh = ctx.home.join(format!("verify-{:016x}", rand::rng().next_u64()));
    let cache = args.cache.as_ref().unwrap_or(&fresh);
    let found = verifier::explained(ctx, &bundle, cache, &node).await;
    // A folder that stays behind only costs space; the result is what matters.
    let _ = std::fs::remove_dir_all(&fresh);
    let (found, explained) = found?;
    if let Some(path) = &args.html {
        let session = ctx.reader().await?.session(bundle.receipt.receipt.session_id).await?;
        let amounts = explain::amounts(&bundle, session.split.data);
        let page = html::report(&bundle, &found, &explained, &amounts, &session.denom);
        std::fs::write(path, page).map_err(|e| CliError::file(path, e))?;
    }
    let mut shown = serde_json::to_value(&found).unwrap_or_default();
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("explained".into(), serde_json::to_value(&explained).unwrap_or_default());
    }
    out.print(&shown, || format!("{}\n{}", show::explained(&explained), show::verification(&found)))?;
    match found.holds {
        true => Ok(()),
        false => Err(CliError::new(
            Class::Verification,
            "E-CLI-067",
            format!(
                "the answer does not verify: {}",
                found.failures().map(|c| c.name).collect::<Vec<_>>().join("; ")
            ),
            "keep the file: it is evidence against the node that signed it",
        )),
    }
}

pub(super) async fn invariants(ctx: &Context, out: &Out) -> Result<()> {
    let all = ctx.reader().await?.invariants().await?;
    let holds = all.iter().all(|(_, answer)| answer.holds);
    let value = serde_json::json!({
        "holds": holds,
        "contracts": all.iter().map(|(n, a)| (*n, a)).collect::<std::collections::BTreeMap<_, _>>(),
    });
    out.print(&value, || {
        let mut rows = Vec::new();
        for (name, answer) in &all {
            for d in &answer.denoms {
                let own = if d.denom == DENOM { String::new() } else { format!(" ({})", d.denom) };
                for term in &d.terms {
                    rows.push(vec![format!("{name}{own}"), term.name.clone(), term.amount.to_string()]);
                }
                rows.push(vec![format!("{name}{own}"), "surplus".into(), d.surplus.to_string()]);
                rows.push(vec![format!("{name}{own}"), "= balance".into(), d.balance.to_string()]);
            }
            for broken in &answer.broken {
                rows.push(vec![(*name).to_string(), "BROKEN".into(), broken.clone()]);
            }
        }
        format!(
            "{}{}",
            show::table(&["contract", "term", "base units"], &rows),
            if holds { "holds" } else { "BROKEN" }
        )
    })?;
    match holds {
        true => Ok(()),
        false => Err(CliError::new(
            Class::Verification,
            "E-CLI-068",
            "a conservation equation does not hold",
            "stop paying into these contracts and tell their owner",
        )),
    }
}

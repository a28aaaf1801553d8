//! Commands that open, use and end sessions.

use std::io::IsTerminal;
use std::time::Duration;

use openledger::context::Context;
use openledger::error::{CliError, Result};
use openledger::{ask as questions, gateway as endpoint, session as sessions, show};
use openledger_types::msg::escrow::SessionResponse;

use super::args;
use super::run::{input, say, Out};

pub(super) async fn session(ctx: &Context, out: &Out, command: args::Session) -> Result<()> {
    match command {
        args::Session::Open { model: (model_id, model_version), node_id, nodes, deposit, blocks } => {
            let choose = usize::from(nodes);
            let args =
                sessions::OpenArgs { model_id, model_version, nodes: node_id, choose, deposit, blocks };
            let opened = sessions::open(ctx, &ctx.signer(None).await?, args).await?;
            out.print(&opened, || {
                let nodes: Vec<String> = opened.nodes.iter().map(u64::to_string).collect();
                format!(
                    "session {} is open with node {}, fee {}, tx {}",
                    opened.session_id,
                    nodes.join(", "),
                    opened.open_fee,
                    opened.tx
                )
            })
        }
        args::Session::Show { session_id } => {
            let session = ctx.reader().await?.session(session_id).await?;
            out.print(&session, || session_text(&session))
        }
        args::Session::List => {
            let ids = sessions::list(ctx)?;
            out.print(&ids, || ids.iter().map(|id| format!("{id}\n")).collect())
        }
        args::Session::Settle { session_id } => {
            let answers = sessions::settle(ctx, session_id).await?;
            out.print(&answers, || match answers.is_empty() {
                true => "nothing was answered in this session yet".into(),
                false => answers
                    .iter()
                    .map(|answer| match answer.epoch {
                        Some(epoch) => format!("epoch {epoch}: {}\n", show::clean(&answer.note)),
                        None => format!("{}\n", show::clean(&answer.note)),
                    })
                    .collect(),
            })
        }
        args::Session::TopUp { session_id, amount, node_id } => {
            let tx = sessions::top_up(ctx, &ctx.signer(None).await?, session_id, node_id, amount).await?;
            out.print(&serde_json::json!({ "tx": tx }), || format!("added, tx {tx}"))
        }
        args::Session::Close { session_id, patience } => {
            let signer = ctx.signer(None).await?;
            let closed = sessions::close(ctx, &signer, session_id, Duration::from_secs(patience)).await?;
            out.print(&closed, || session_text(&closed.session))
        }
    }
}

fn session_text(s: &SessionResponse) -> String {
    let state = if s.closed { "closed" } else { "open" };
    let mut text = format!(
        "session {} for model {}:{}, {state}\ndeposit {}, refunded {}\n",
        s.session_id,
        s.model_id,
        s.model_version,
        show::amount(s.deposit.u128(), &s.denom),
        show::amount(s.refunded.u128(), &s.denom)
    );
    text.push_str(&format!(
        "settled: protocol {}, developer {}, node {}, data {}\n",
        s.protocol, s.developer_part, s.node_part, s.data_part
    ));
    for node in &s.nodes {
        text.push_str(&format!(
            "node {}: {} of {} for {} answers, at {} a prompt token, {} an answer token\n",
            node.node_id, node.settled, node.cap, node.log.count, node.price_in, node.price_out
        ));
    }
    text
}

pub(super) async fn ask(ctx: &Context, out: &Out, args: args::Ask) -> Result<()> {
    let session_id = match args.session {
        Some(id) => id,
        None => sessions::list(ctx)?.last().copied().ok_or_else(|| {
            CliError::usage("this home folder has no session: open one with `openledger session open`")
        })?,
    };
    let mut printed = false;
    let json = out.json;
    let mut on_text = |text: &str| {
        if !json {
            printed |= !text.is_empty();
            // The answer is paid and kept in a file whoever reads along.
            let _ = say(&show::clean(text));
        }
    };
    let answer = match args.resume {
        true => questions::resume(ctx, session_id, &mut on_text).await?,
        false => {
            let prompt = match args.prompt.as_deref() {
                Some("-") | None => input()?,
                Some(text) => text.to_string(),
            };
            let args = questions::AskArgs {
                session_id,
                prompt,
                max_tokens: args.max_tokens,
                temperature: args.temperature,
            };
            questions::ask(ctx, args, &mut on_text).await?
        }
    };
    let owners = match out.json {
        true => Default::default(),
        // The answer is paid and kept: without names it is still worth showing.
        false => questions::contributors(ctx, &answer.bundle).await.unwrap_or_default(),
    };
    out.print(&answer, || {
        let colour = std::io::stdout().is_terminal();
        let bundle = &answer.bundle;
        let mut cited = show::highlight_evidence(&bundle.answer, &bundle.evidence, colour);
        for part in answer.before.iter().rev() {
            let note = format!("[{} tokens came from node {} before it was lost]", part.tokens, part.node_id);
            cited = format!("{}\n{note}\n{cited}", show::clean(&part.text));
        }
        let gap = if printed { "\n\n" } else { "" };
        let shares = show::shares(bundle, &bundle.voucher.voucher.denom, &|id| owners.get(&id).cloned());
        format!("{gap}{cited}\n\n{shares}receipt {}\nkept in {}", answer.receipt_id, answer.file.display())
    })
}

pub(super) async fn gateway(ctx: &Context, out: &Out, args: args::Gateway) -> Result<()> {
    let limit = args.limit;
    let paid_by = match (args.session, args.model) {
        (Some(session_id), _) => endpoint::PaidBy::Session(session_id),
        (None, Some((model_id, model_version))) => endpoint::PaidBy::New(sessions::OpenArgs {
            model_id,
            model_version,
            nodes: args.node_id,
            choose: usize::from(args.nodes),
            deposit: limit,
            blocks: None,
        }),
        (None, None) => return Err(CliError::usage("name --session or --model")),
    };
    let patience = Duration::from_secs(args.patience);
    let args = endpoint::GatewayArgs { paid_by, limit, listen: args.listen, close: args.close, patience };
    let ended = endpoint::run(ctx, args, |ready| {
        out.print(ready, || {
            format!(
                "session {} pays for model {}, at most {} {}\n\nexport OPENAI_BASE_URL={}\nexport OPENAI_API_KEY={}\n\n\
                 Ctrl-C ends it; GET /v1/gateway shows costs",
                ready.session_id, ready.model, ready.limit, ready.denom, ready.base_url, ready.api_key
            )
        })
    })
    .await?;
    out.print(&ended, || {
        let mut text = format!(
            "session {}: {} answers for {} {}\n",
            ended.session_id, ended.answers, ended.spent, ended.denom
        );
        match &ended.closed {
            Some(session) => text.push_str(&session_text(session)),
            None => text.push_str(&format!(
                "the session stays open; its refund: openledger session close {}",
                ended.session_id
            )),
        }
        text
    })
}

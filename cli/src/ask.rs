//! Asking one question from the command line.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_node::request::Endpoint;
use openledger_types::api::AnswerBundle;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
pub use crate::payer::Answer;
use crate::payer::{Body, Payer};

/// What to ask.
#[derive(Clone, Debug)]
pub struct AskArgs {
    /// Session.
    pub session_id: u64,
    /// The text to be continued.
    pub prompt: String,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// Temperature.
    pub temperature: f64,
}

/// Asks and pays; `on_text` sees the answer as it comes. A request that an earlier run left under way
/// must be finished first, see [`resume`].
///
/// # Errors
/// When no node of the session answers (nothing is lost, resume later), or a check fails (the answer is
/// then not acknowledged).
pub async fn ask(ctx: &Context, args: AskArgs, on_text: &mut (dyn FnMut(&str) + Send)) -> Result<Answer> {
    let reader = ctx.reader().await?;
    let payer = Payer::open(ctx, &reader, args.session_id, None).await?;
    if payer.is_interrupted() {
        return Err(under_way(args.session_id));
    }
    // A node that was lost and is back is one more that can be asked.
    if let Err(failure) = payer.reconcile().await {
        tracing::warn!("a node that was lost is not back: {}", failure.error.message);
    }
    let mut body = Body::new();
    body.insert("prompt".into(), args.prompt.into());
    body.insert("max_tokens".into(), args.max_tokens.into());
    body.insert("temperature".into(), args.temperature.into());
    Ok(payer.ask(Endpoint::Completions, body, &mut shown(on_text)).await?)
}

/// Fetches the answer of a request that an earlier run left under way, by the same voucher.
///
/// # Errors
/// As [`ask`]; also when nothing is under way.
pub async fn resume(
    ctx: &Context,
    session_id: u64,
    on_text: &mut (dyn FnMut(&str) + Send),
) -> Result<Answer> {
    let reader = ctx.reader().await?;
    let payer = Payer::open(ctx, &reader, session_id, None).await?;
    Ok(payer.resume(&mut shown(on_text)).await?)
}

fn shown<'a>(on_text: &'a mut (dyn FnMut(&str) + Send)) -> impl FnMut(&str) -> ControlFlow<()> + Send + 'a {
    |text| {
        on_text(text);
        ControlFlow::Continue(())
    }
}

/// Who contributed what an answer pays, as the chain says: contribution to address and title.
///
/// # Errors
/// When the chain does not answer.
pub async fn contributors(ctx: &Context, bundle: &AnswerBundle) -> Result<BTreeMap<u64, String>> {
    let reader = ctx.reader().await?;
    stream::iter(bundle.receipt.receipt.shares.iter().map(|share| {
        let reader = &reader;
        async move {
            let found = reader.contribution(share.contribution_id).await?;
            Ok((share.contribution_id, format!("{}  {}", found.facts.contributor, found.title)))
        }
    }))
    .buffer_unordered(8)
    .try_collect()
    .await
}

/// What a session cannot do while an answer is under way.
fn under_way(session_id: u64) -> CliError {
    CliError::new(
        Class::Refused,
        "E-CLI-044",
        format!("an answer of session {session_id} is under way"),
        "fetch it first: openledger ask --resume",
    )
}

//! Computing anyone's answer again for whoever asks: what a page cannot do for a large model.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::Json;
use openledger_types::api::{AnswerBundle, ReplayResponse};

use super::models::Loaded;
use super::node::{blocking, Node};
use crate::fault::{Class, Fault, Result};

/// Most bytes of a bundle.
pub(super) const MAX_BUNDLE: usize = 8 << 20;

impl Node {
    /// Contributions that an answer would cite and may not at its receipt's height (PROTOCOL D4).
    pub(crate) async fn barred_in(
        &self,
        loaded: &Arc<Loaded>,
        bundle: &Arc<AnswerBundle>,
    ) -> Result<BTreeSet<u64>> {
        let mut barred = BTreeSet::new();
        loop {
            let (loaded, bundle, without) = (loaded.clone(), bundle.clone(), barred.clone());
            let height = bundle.receipt.receipt.height;
            let cited = blocking(move || Ok(loaded.answerer.cites(&bundle, &without))).await?;
            let more = self.barred(&cited, height).await?;
            if more.is_empty() {
                return Ok(barred);
            }
            barred.extend(more);
        }
    }
}

/// `POST /v1/replay`: one answer at a time, of models that this node has ready. It costs what reading prompt and
/// answer costs, so that a second one at once is refused.
pub async fn replay(
    State(node): State<Arc<Node>>,
    Json(bundle): Json<AnswerBundle>,
) -> Result<Json<ReplayResponse>> {
    let _turn = node.replays.try_acquire().map_err(|_| {
        Fault::new(Class::Busy, "E-NODE-026", "another answer is being replayed", "Try again in a moment.")
            .retryable()
    })?;
    let receipt = &bundle.receipt.receipt;
    let loaded = node.models.ready(receipt.model_id, receipt.model_version)?;
    let bundle = Arc::new(bundle);
    let barred = node.barred_in(&loaded, &bundle).await?;
    let failures = blocking(move || Ok(loaded.answerer.replay(&bundle, &barred))).await?;
    Ok(Json(ReplayResponse { holds: failures.is_empty(), failures }))
}

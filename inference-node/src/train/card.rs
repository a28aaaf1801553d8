//! The model card beside trained weights: what a reader has to know, from manifest and training receipt alone.

use std::fmt::Write as _;

use openledger_types::formats::Manifest;

use super::export::{TrainingReceipt, CURVE_FILE, RECEIPT_FILE};

/// Name of the model card's file.
pub const CARD_FILE: &str = "MODEL_CARD.md";

/// A name as one line of plain text.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || "|`*_<>[]#".contains(c) { ' ' } else { c }).collect()
}

/// The card of a model that was trained here.
pub(crate) fn card(manifest: &Manifest, receipt: &TrainingReceipt) -> String {
    let (recipe, mut out) = (&receipt.recipe, String::new());
    let adapter = recipe.adapter.as_ref().zip(receipt.base_weights_root.as_ref());
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# {}\n", plain(&manifest.name));
    let _ = match adapter {
        Some(_) => writeln!(out, "A low-rank adapter (LoRA), with the base that it was trained for.\n"),
        None => writeln!(out, "A language model, trained from its first weights on.\n"),
    };
    let mut row = |name: &str, value: String| {
        let _ = writeln!(out, "| {name} | {value} |");
    };
    row("what", "value".into());
    row("---", "---".into());
    row("architecture", manifest.architecture.clone());
    row("numeric class", manifest.numeric_class.as_str().into());
    row("sampler", manifest.sampler.clone());
    row("parameters", manifest.parameters.to_string());
    row("context, tokens", manifest.context.to_string());
    row("weights root", manifest.weights_root.to_hex());
    if let Some((own, base)) = adapter {
        row("adapter root", manifest.adapter_root.to_hex());
        row("weights root of the base", base.to_hex());
        row("rank, alpha", format!("{}, {}", own.rank, own.alpha));
        row("products", own.targets.join(", "));
    }
    let _ = writeln!(out, "\n## Data\n");
    match receipt.datanets.as_slice() {
        [] => {
            let _ = writeln!(out, "No sealed version of a datanet is named.");
        }
        versions => {
            let _ =
                writeln!(out, "Sealed versions of datanets, whose contributors are paid by its answers:\n");
            for version in versions {
                let (id, number, root) = (version.datanet_id, version.version, version.root.to_hex());
                let _ = writeln!(out, "- {id}:{number}, root {root}");
            }
        }
    }
    let _ = writeln!(
        out,
        "\n{} documents, {} bytes, {} tokens. SHA-256 over them: {}.",
        receipt.documents,
        receipt.bytes,
        receipt.tokens,
        receipt.documents_hash.to_hex()
    );
    let _ = writeln!(
        out,
        "\n## Training\n\n{} steps over {} tokens, repetitions counted. Loss of the first steps {:.4}, of the last \
         {:.4} nats a token (`{CURVE_FILE}.csv`, `{CURVE_FILE}.svg`). Seed {}, learning rate {}.",
        receipt.steps,
        receipt.tokens_seen,
        receipt.loss_first,
        receipt.loss_last,
        recipe.seed,
        recipe.learning_rate
    );
    let _ = writeln!(
        out,
        "\n`{RECEIPT_FILE}` holds the whole recipe, the plan of the steps and how often each contribution was seen: \
         enough to repeat the run.\n\n## Limits\n\nThe loss is that of training texts. The model writes what is like its \
         data, true or not; it was not tuned to refuse anything."
    );
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_cannot_write_the_card() {
        assert_eq!(plain("a|b\n# c"), "a b   c");
    }
}

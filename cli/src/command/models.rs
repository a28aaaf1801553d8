//! Commands on models.

use std::path::PathBuf;

use openledger::context::Context;
use openledger::contribute::Inputs;
use openledger::error::{CliError, Result};
use openledger::{model as models, show};
use openledger_node::train::Recipe;
use openledger_types::money::Split;

use super::args;
use super::run::Out;

pub(super) async fn model(ctx: &Context, out: &Out, command: args::Model) -> Result<()> {
    match command {
        args::Model::Train(args) => train(ctx, out, args).await,
        args::Model::Import(args) => {
            // Nothing else goes on in this process meanwhile.
            let class = args.class.into();
            let manifest = openledger_node::engine::import(&args.source, &args.out, &args.name, class)?;
            out.print(&manifest, || {
                format!(
                    "{}: {}, {} parameters, context {}, class {}, weights {}\n",
                    args.out.display(),
                    manifest.architecture,
                    manifest.parameters,
                    manifest.context,
                    manifest.numeric_class.as_str(),
                    manifest.weights_root
                )
            })
        }
        args::Model::Register(args) => {
            let signer = ctx.signer(None).await?;
            let protocol = ctx.reader().await?.model_config().await?.params.protocol_bps;
            let given = u32::from(protocol) + u32::from(args.developer_bps) + u32::from(args.data_bps);
            let node =
                10_000u32.checked_sub(given).and_then(|rest| u16::try_from(rest).ok()).ok_or_else(|| {
                    CliError::usage(format!(
                        "developer, data and the protocol's {protocol} exceed 10,000 basis points"
                    ))
                })?;
            let split = Split { protocol, developer: args.developer_bps, node, data: args.data_bps };
            let class = args.class.map(Into::into);
            let dir = models::folder(ctx, args.dir, &args.name, class).await?;
            let args = models::RegisterArgs {
                dir,
                model_id: args.model,
                name: args.name,
                description: args.description,
                price_in: args.price_in,
                price_out: args.price_out,
                split,
                parents: args.parents,
                royalty_bps: args.royalty_bps,
                node: ctx.node_url()?,
            };
            let done = models::register(ctx, &signer, args).await?;
            out.print(&done, || {
                format!("model {}:{} is served by {}", done.model_id, done.version, node_of(ctx))
            })
        }
        args::Model::Show { model: (model_id, version) } => {
            let shown = models::show(ctx, model_id, version).await?;
            out.print(&shown, || {
                let m = &shown.model;
                let mut text = format!(
                    "model {}  {}\n{}\ndeveloper {}\n",
                    m.model_id, m.name, m.description, m.developer
                );
                if let Some(v) = &shown.version {
                    let s = &v.split;
                    text.push_str(&format!(
                        "version {}: {} {} a prompt token, {} an answer token; {}\n",
                        v.version,
                        v.price_in,
                        v.denom,
                        v.price_out,
                        v.numeric_class.as_str()
                    ));
                    text.push_str(&format!(
                        "split: protocol {}, developer {}, node {}, data {}\nweights {}\n",
                        show::percent(s.protocol),
                        show::percent(s.developer),
                        show::percent(s.node),
                        show::percent(s.data),
                        v.weights_root
                    ));
                    for d in &v.datanets {
                        text.push_str(&format!(
                            "rests on datanet {} version {}, root {}\n",
                            d.datanet_id, d.version, d.root
                        ));
                    }
                }
                show::clean(&text)
            })
        }
        args::Model::List => {
            let all = models::list(ctx).await?;
            out.print(&all, || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|m| {
                        let (id, version) = (m.model_id.to_string(), m.latest_version.to_string());
                        vec![id, m.name.clone(), version, m.developer.clone()]
                    })
                    .collect();
                show::table(&["model", "name", "version", "developer"], &rows)
            })
        }
    }
}

fn node_of(ctx: &Context) -> String {
    ctx.settings.node.clone().unwrap_or_default()
}

async fn train(ctx: &Context, out: &Out, args: args::Train) -> Result<()> {
    let mut recipe = recipe(args.recipe.as_ref())?;
    if let Some(name) = args.name {
        recipe.name = name;
    }
    if let Some(class) = args.class {
        recipe.numeric_class = class.into();
    }
    if let Some(seed) = args.seed {
        recipe.seed = seed;
    }
    if args.seconds.is_some() || args.steps.is_some() {
        (recipe.seconds, recipe.steps) = (args.seconds, args.steps);
    }
    let mut skipped = Vec::new();
    let inputs = Inputs { paths: args.heldout, text_field: args.text_field, license: None, uses: None };
    let heldout = inputs.documents(&mut skipped).filter_map(|d| String::from_utf8(d.bytes).ok()).collect();
    let trained = models::train(
        ctx,
        models::TrainArgs {
            versions: args.data,
            out: args.out,
            recipe,
            base: args.base,
            heldout,
            heldout_bytes: models::HELDOUT_BYTES,
            weights: args.weights,
            calibrate: args.calibrate,
            node: ctx.node_url()?,
        },
    )
    .await?;
    out.print(&trained.figures(), || {
        let (report, receipt) = (&trained.report, &trained.report.receipt);
        let mut text = format!(
            "{}: {} parameters, {} steps in {:.0} s, {:.0} tokens/s, loss {:.3} -> {:.3}\n",
            trained.dir.display(),
            report.parameters,
            receipt.steps,
            receipt.seconds,
            report.tokens_per_second,
            receipt.loss_first,
            receipt.loss_last
        );
        if let Some(h) = &trained.heldout {
            let xz = h.xz.map_or("not installed".into(), |xz| format!("{xz:.3}"));
            text.push_str(&format!(
                "bits a byte on {} held-out bytes: model {:.3}, trigram {:.3}, 5-gram {:.3}, xz {xz}\n",
                h.bytes, h.bits_per_byte, h.trigram, h.five_gram
            ));
        }
        if let Some(c) = &trained.calibration {
            let [influence, vocabulary, phrases] = c.weights;
            text.push_str(&format!(
                "weights of influence, vocabulary and phrases {influence} : {vocabulary} : {phrases}; LDS on {} \
                 questions: fitted {:.2}, default {:.2}\n",
                c.judged_on,
                c.lds.get("fitted").copied().unwrap_or_default(),
                c.lds.get("default").copied().unwrap_or_default()
            ));
        }
        text
    })
}

/// The usual recipe with the fields of a TOML file laid over it.
fn recipe(path: Option<&PathBuf>) -> Result<Recipe> {
    let Some(path) = path else { return Ok(Recipe::default()) };
    let bad = |e: String| CliError::file(path, e);
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let given: serde_json::Map<String, serde_json::Value> =
        toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let mut value = serde_json::to_value(Recipe::default()).map_err(|e| bad(e.to_string()))?;
    for (name, field) in given {
        match value.get_mut(&name) {
            Some(slot) => *slot = field,
            None => return Err(bad(format!("a recipe has no field {name:?}"))),
        }
    }
    serde_json::from_value(value).map_err(|e| bad(e.to_string()))
}

//! Commands on datanets and on what is kept of them.

use cosmwasm_std::Uint128;
use openledger::context::{Context, DENOM};
use openledger::contribute::Inputs;
use openledger::error::{CliError, Result};
use openledger::{
    contribute, data_rights, datanet as datanets, readers, show, storage as blobs, training_pay,
};
use openledger_types::formats::Uses;
use openledger_types::msg::datanet::{ExecuteMsg, Policy, Visibility};

use super::args;
use super::money::address;
use super::run::Out;

fn create_args(args: args::Create) -> Result<datanets::CreateArgs> {
    let policy = match args.policy {
        args::PolicyName::Open if args.curators.is_empty() => Policy::Open {},
        args::PolicyName::Open => {
            return Err(CliError::usage("an open datanet has no curators: give --policy curated"))
        }
        args::PolicyName::Curated => {
            let mut curators = args.curators;
            curators.sort();
            curators.dedup();
            if !(1..=curators.len()).contains(&usize::from(args.quorum)) {
                return Err(CliError::usage(format!(
                    "a quorum of {} cannot be reached by {} curators",
                    args.quorum,
                    curators.len()
                )));
            }
            Policy::Curated { curators, quorum: args.quorum }
        }
    };
    Ok(datanets::CreateArgs {
        name: args.name,
        description: args.description,
        visibility: match args.visibility {
            args::Visible::Public => Visibility::Public,
            args::Visible::Excerpt => Visibility::Excerpt,
            args::Visible::Sealed => Visibility::Sealed,
        },
        license: args.license,
        min_data_bps: args.min_data_bps,
        floor_per_token: args.floor_per_token,
        policy,
        uses: args.uses.uses().unwrap_or(Uses::ALL),
        training_price: args.training_price,
    })
}

pub(super) async fn datanet(ctx: &Context, out: &Out, command: args::Datanet) -> Result<()> {
    match command {
        args::Datanet::Create(args) => {
            let args = create_args(*args)?;
            let created = datanets::create(ctx, &ctx.signer(None).await?, args).await?;
            out.print(&created, || {
                format!(
                    "datanet {}\nkey     {}\ntx      {}",
                    created.datanet_id,
                    created.key_file.display(),
                    created.tx
                )
            })
        }
        args::Datanet::Contribute { datanet_id, paths, text_field, license, uses } => {
            let signer = ctx.signer(None).await?;
            let inputs = Inputs { paths, text_field, license, uses: uses.uses() };
            let mut skipped = Vec::new();
            let node = ctx.node_url()?;
            // One document at a time, so that memory does not grow with the input.
            let done =
                contribute::contribute(ctx, &signer, datanet_id, inputs.documents(&mut skipped), &node)
                    .await?;
            let value = serde_json::json!({ "done": done, "skipped": skipped });
            out.print(&value, || {
                let mut text = format!(
                    "{} documents contributed, {} bytes, in {} transactions\n",
                    done.contributions.len(),
                    done.bytes,
                    done.txs.len()
                );
                for (commit_id, from) in &done.bonds {
                    let when = from.map_or("once revealed".into(), |from| format!("from height {from}"));
                    text.push_str(&format!(
                        "bonds of commit {commit_id} return {when}: openledger datanet release {commit_id}\n"
                    ));
                }
                for (name, why) in &skipped {
                    text.push_str(&show::clean(&format!("skipped {name}: {why}\n")));
                }
                for (name, id) in &done.on_chain {
                    text.push_str(&show::clean(&format!("already contribution {id}: {name}\n")));
                }
                text
            })
        }
        args::Datanet::Seal { datanet_id, up_to, wait } => {
            let sealed = datanets::seal(ctx, &ctx.signer(None).await?, datanet_id, up_to, wait).await?;
            out.print(&sealed, || {
                format!(
                    "datanet {} version {}: {} contributions, root {}",
                    sealed.datanet_id, sealed.version, sealed.size, sealed.root
                )
            })
        }
        args::Datanet::Show { datanet_id } => {
            let shown = datanets::show(ctx, datanet_id).await?;
            out.print(&shown, || {
                let d = &shown.datanet;
                let mut text = format!(
                    "datanet {}  {}\nowner {}\n{} contributions, {} bytes, licence {}\n",
                    d.datanet_id, d.name, d.owner, d.contributions, d.bytes, d.license
                );
                if let Some(latest) = &shown.latest {
                    let v = &latest.version;
                    text.push_str(&format!(
                        "version {}: {} contributions, root {}\n",
                        v.version, v.size, v.root
                    ));
                }
                show::clean(&text)
            })
        }
        args::Datanet::List => {
            let all = ctx.reader().await?.datanets().await?;
            out.print(&all, || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|d| {
                        let id = d.datanet_id.to_string();
                        vec![id, d.name.clone(), d.contributions.to_string(), d.latest_version.to_string()]
                    })
                    .collect();
                show::table(&["datanet", "name", "contributions", "version"], &rows)
            })
        }
        args::Datanet::Release { commit_id } => {
            let done = data_rights::release(ctx, &ctx.signer(None).await?, commit_id).await?;
            out.print(&done, || match done.txs.as_slice() {
                [] => "nothing to return: the bonds were returned and paid before".into(),
                txs => format!("{} paid, tx {}", show::amount(done.paid.u128(), DENOM), txs.join(" ")),
            })
        }
        args::Datanet::Withdraw { mut contribution_ids } => {
            contribution_ids.sort_unstable();
            contribution_ids.dedup();
            act(ctx, out, ExecuteMsg::Withdraw { contribution_ids }, 0).await
        }
        args::Datanet::Curate { mut contribution_ids, reject, reason, slash } => {
            contribution_ids.sort_unstable();
            contribution_ids.dedup();
            act(ctx, out, ExecuteMsg::Curate { contribution_ids, approve: !reject, reason, slash }, 0).await
        }
        args::Datanet::Access(command) => access(ctx, out, command).await,
        args::Datanet::Bounty(command) => bounty(ctx, out, command).await,
        args::Datanet::Grant { datanet_id, node_id } => {
            let tx = datanets::grant(ctx, &ctx.signer(None).await?, datanet_id, node_id).await?;
            out.print(&serde_json::json!({ "tx": tx }), || format!("granted, tx {tx}"))
        }
        args::Datanet::Readers { datanet_id } => {
            let all = readers::list(ctx, datanet_id).await?;
            out.print(&all, || {
                let rows: Vec<Vec<String>> = all
                    .readers
                    .iter()
                    .map(|reader| {
                        let state = if reader.key == all.key { "reads" } else { "left" };
                        vec![reader.name.clone(), reader.key.to_string(), state.into()]
                    })
                    .collect();
                let table = show::table(&["reader", "key", "state"], &rows);
                show::clean(&format!("key {} is in force\n{table}", all.key))
            })
        }
        args::Datanet::RotateKey { datanet_id, nodes, developers } => {
            let signer = ctx.signer(None).await?;
            let done = readers::rotate(ctx, &signer, datanet_id, &nodes, &developers).await?;
            out.print(&done, || {
                let mut text = format!(
                    "key {} is in force, kept in {}\ntx {}\n",
                    done.key,
                    done.key_file.display(),
                    done.txs.join(" ")
                );
                done.readers.iter().for_each(|name| text.push_str(&format!("reads on: {name}\n")));
                done.left.iter().for_each(|(name, why)| text.push_str(&format!("left: {name} ({why})\n")));
                show::clean(&text)
            })
        }
    }
}

/// Sends a message to the datanet contract, with an amount when it is not 0.
async fn act(ctx: &Context, out: &Out, msg: ExecuteMsg, amount: u128) -> Result<()> {
    let funds = match amount {
        0 => Vec::new(),
        amount => data_rights::coin(ctx, amount).await?,
    };
    let done = data_rights::act(ctx, &ctx.signer(None).await?, &msg, &funds).await?;
    out.print(&done, || match done.number {
        Some(number) => format!("number {number}, tx {}", done.tx),
        None => format!("done, tx {}", done.tx),
    })
}

async fn access(ctx: &Context, out: &Out, command: args::Access) -> Result<()> {
    match command {
        args::Access::Buy { datanet_id } => {
            let done = data_rights::buy_access(ctx, &ctx.signer(None).await?, datanet_id).await?;
            out.print(&done, || format!("bought, tx {}; the key comes from the datanet's owner", done.tx))
        }
        args::Access::Grant { datanet_id, developer } => {
            let signer = ctx.signer(None).await?;
            let done = data_rights::grant_access(ctx, &signer, datanet_id, &developer).await?;
            out.print(&done, || format!("handed over, tx {}", done.tx))
        }
        args::Access::Show { datanet_id } => {
            let held = data_rights::show_access(ctx, &address(ctx, None)?, datanet_id).await?;
            out.print(&held, || {
                let a = &held.access;
                let key =
                    held.key_file.as_ref().map_or("has not come yet".into(), |f| f.display().to_string());
                format!("paid {}, bond {}, returned from height {}\nkey {key}", a.paid, a.bond, a.leaves_at)
            })
        }
        args::Access::Leave { datanet_id } => act(ctx, out, ExecuteMsg::LeaveAccess { datanet_id }, 0).await,
        args::Access::Claim { datanet_id, version } => {
            let signer = ctx.signer(None).await?;
            let done = training_pay::claim(ctx, &signer, version, datanet_id).await?;
            out.print(&done, || {
                format!("credited {}, refused {}; paid out {}", done.credited, done.refused, done.paid)
            })
        }
    }
}

async fn bounty(ctx: &Context, out: &Out, command: args::Bounty) -> Result<()> {
    match command {
        args::Bounty::Fund { datanet_id, topic, amount, blocks } => {
            act(ctx, out, ExecuteMsg::FundBounty { datanet_id, topic, blocks }, amount).await
        }
        args::Bounty::Add { bounty_id, amount } => {
            act(ctx, out, ExecuteMsg::AddToBounty { bounty_id }, amount).await
        }
        args::Bounty::Award { bounty_id, contribution_id, amount } => {
            let msg = ExecuteMsg::AwardBounty { bounty_id, contribution_id, amount: Uint128::new(amount) };
            act(ctx, out, msg, 0).await
        }
        args::Bounty::Leave { bounty_id } => act(ctx, out, ExecuteMsg::LeaveBounty { bounty_id }, 0).await,
        args::Bounty::List { datanet_id } => {
            let all = ctx.reader().await?.bounties(datanet_id).await?;
            out.print(&all, || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|b| {
                        let left = b.funded.saturating_sub(b.awarded).saturating_sub(b.returned);
                        let (id, left) = (b.bounty_id.to_string(), show::amount(left.u128(), DENOM));
                        vec![id, b.topic.clone(), left, b.expires.to_string()]
                    })
                    .collect();
                show::table(&["bounty", "topic", "left", "expires"], &rows)
            })
        }
    }
}

pub(super) async fn storage(ctx: &Context, out: &Out, command: args::Storage) -> Result<()> {
    match command {
        args::Storage::Fund { datanet_id, amount } => {
            let done = blobs::fund(ctx, &ctx.signer(None).await?, datanet_id, amount).await?;
            out.print(&done, || format!("datanet {datanet_id}: {amount} base units more for storage"))
        }
        args::Storage::Place { datanet_id } => {
            let node = ctx.node_url()?;
            let done = blobs::place(ctx, &ctx.signer(None).await?, datanet_id, &node).await?;
            out.print(&done, || {
                format!(
                    "datanet {datanet_id}: {} contributions, {} bytes, placed as {} objects",
                    done.contributions, done.bytes, done.objects
                )
            })
        }
        args::Storage::Show { datanet_id } => {
            let kept = blobs::show(ctx, datanet_id).await?;
            out.print(&kept, || {
                let account = &kept.account;
                let end = account.dry_at.map_or("nothing is kept".into(), |at| format!("lasts to height {at}"));
                let mut text = format!(
                    "deposit {} base units, {} of them used; {end}\n{} objects, {} bytes, {} of {} fragments held\n",
                    account.deposit,
                    account.reserved,
                    kept.objects.len(),
                    kept.bytes,
                    kept.held,
                    kept.slots
                );
                let rows: Vec<Vec<String>> = kept
                    .storers
                    .iter()
                    .map(|storer| {
                        let state = format!("{:?}", storer.state).to_lowercase();
                        vec![
                            storer.node_id.to_string(),
                            state,
                            storer.kept.to_string(),
                            storer.capacity.to_string(),
                            storer.proven_blocks.to_string(),
                            storer.misses.to_string(),
                        ]
                    })
                    .collect();
                let heading = ["node", "state", "KiB kept", "KiB offered", "blocks proven", "misses"];
                text.push_str(&show::table(&heading, &rows));
                text
            })
        }
    }
}

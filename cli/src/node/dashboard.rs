//! What a node does and earns, as a table that is written anew every two seconds. Without a terminal it is
//! written once for each change of height, one after the other, so that a log can take it.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use openledger_client::contracts::Reader;
use openledger_client::keyfile;
use openledger_node::config::{Config, Home};
use openledger_types::msg::node_registry::WorkResponse;
use serde::Serialize;

use crate::context::{Context, DENOM};
use crate::error::Result;
use crate::network::process;
use crate::table;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// One look.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Node.
    pub node_id: u64,
    /// Height of the chain.
    pub height: u64,
    /// Where it stands in the registry, in a word.
    pub status: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Whether its process answers.
    pub answers: bool,
    /// Models that it has ready.
    pub models: u64,
    /// Bond in base units.
    pub bond: u128,
    /// The node's own account, which pays gas.
    pub hot_addr: String,
    /// Base units on it.
    pub gas: u128,
    /// Base units on the operator's account.
    pub balance: u128,
    /// Earned, paid out by the next withdrawal.
    pub withdrawable: u128,
    /// Fees of settled answers whose root waits.
    pub pending: u128,
    /// Answers signed since the node's start.
    pub receipts: u64,
    /// Their fees.
    pub fees: u64,
    /// Roots of others attested since the start.
    pub attestations: u64,
    /// Answers of others computed again since the start.
    pub replays: u64,
    /// What contracts have seen of its work.
    pub work: WorkResponse,
    /// Height from which the bond can be withdrawn, while unbonding.
    pub unbonds_at: Option<u64>,
}

/// Looks once.
///
/// # Errors
/// When the chain does not answer, or the node is not on record.
pub async fn look(ctx: &Context, reader: &Reader, home: &Path) -> Result<View> {
    let config = Config::load(&Home(home.to_path_buf()).config())?;
    let url = format!("http://{}", config.listen);
    let node = reader.node(config.node_id).await?;
    let text = match ctx.http.get(format!("{url}/metrics")).timeout(PAUSE).send().await {
        Ok(response) => response.text().await.ok(),
        Err(_) => None,
    };
    let counter = |name: &str| -> u64 {
        let find = |text: &String| {
            let name = format!("openledger_node_{name} ");
            text.lines().find_map(|line| line.strip_prefix(name.as_str())?.trim().parse().ok())
        };
        text.as_ref().and_then(find).unwrap_or_default()
    };
    let key = keyfile::load(&Home(home.to_path_buf()).node_key(), None)?;
    let chain = reader.chain();
    let hot_addr = key.address(&config.chain.prefix)?;
    let own = reader.withdrawable(&node.operator).await?.amounts;
    Ok(View {
        node_id: node.node_id,
        height: chain.latest_height().await?,
        status: match node.jailed_until {
            Some(height) => format!("in jail until height {height}"),
            None => format!("{:?}", node.status).to_lowercase(),
        },
        roles: node.roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect(),
        answers: process::healthy(&ctx.http, &url).await,
        models: counter("models"),
        bond: node.bond.u128(),
        gas: chain.balance(&hot_addr, DENOM).await?,
        hot_addr,
        balance: chain.balance(&node.operator, DENOM).await?,
        withdrawable: own.iter().filter(|a| a.denom == DENOM).map(|a| a.amount.u128()).sum(),
        pending: reader.pending(node.node_id).await?.map_or(0, |epoch| epoch.fees.u128()),
        receipts: counter("receipts_total"),
        fees: counter("fees_total"),
        attestations: counter("audit_attestations_total"),
        replays: counter("audit_replays_total"),
        work: reader.work(node.node_id).await?,
        unbonds_at: node.unbonds_at,
    })
}

impl View {
    /// The table.
    pub fn text(&self) -> String {
        let open = |amount: u128| format!("{} OPEN", table::open(amount));
        let recorded = &self.work.recorded;
        let mut rows = vec![
            ("node", format!("{}, {}, {}", self.node_id, self.status, self.roles.join(" and "))),
            ("process", if self.answers { "answers".into() } else { "does not answer".to_string() }),
            ("chain", format!("height {}", self.height)),
            ("models", format!("{} ready", self.models)),
            ("", String::new()),
            (
                "answers",
                format!("{} signed since the start, {} of fees", self.receipts, open(self.fees.into())),
            ),
            ("settled", format!("{} answers under {} final roots", recorded.answers, recorded.epochs)),
            ("waiting", format!("{} of fees under a root that is not final", open(self.pending))),
            (
                "audits",
                format!("{} roots attested, {} answers computed again", self.attestations, self.replays),
            ),
            (
                "record",
                format!("{} audits, {} misses, {} faults", recorded.audits, recorded.misses, recorded.faults),
            ),
            ("", String::new()),
            ("earned", format!("{} to withdraw", open(self.withdrawable))),
            ("operator", open(self.balance)),
            ("gas", format!("{} on the node's own account {}", open(self.gas), self.hot_addr)),
            ("bond", open(self.bond)),
        ];
        if let Some(height) = self.unbonds_at {
            rows.push(("unbonding", format!("until height {height}")));
        }
        rows.iter().map(|(name, value)| format!("{name:<10} {value}").trim_end().to_string() + "\n").collect()
    }
}

/// Shows the node until Ctrl-C. A look that fails is said and tried again.
///
/// # Errors
/// When the config of the node cannot be read.
pub async fn show(ctx: &Context, home: &Path) -> Result<()> {
    let terminal = std::io::stdout().is_terminal();
    let mut shown: Option<(u64, Instant)> = None;
    loop {
        let text = match look_now(ctx, home).await {
            Ok(view) => {
                // A log gets a look a minute.
                let due = shown.is_none_or(|(_, at)| terminal || at.elapsed() > Duration::from_secs(60));
                due.then(|| {
                    shown = Some((view.height, Instant::now()));
                    view.text()
                })
            }
            Err(error) => Some(format!("{error}\n")),
        };
        if let Some(text) = text {
            // The terminal is cleared from its upper left corner; works on any that knows ANSI's two oldest codes.
            let clear = if terminal { "\x1b[H\x1b[J" } else { "" };
            let close = if terminal {
                "\nCtrl-C ends this view; the node goes on. `openledger node leave` stops it.\n"
            } else {
                "\n"
            };
            let mut out = std::io::stdout();
            if out.write_all(format!("{clear}{text}{close}").as_bytes()).and_then(|()| out.flush()).is_err() {
                // Nobody reads any more.
                return Ok(());
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

async fn look_now(ctx: &Context, home: &Path) -> Result<View> {
    look(ctx, &ctx.reader().await?, home).await
}

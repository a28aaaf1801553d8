//! Commands of operators.

use openledger::context::Context;
use openledger::error::Result;
use openledger::node::{dashboard, join, leave};
use openledger_types::msg::node_registry::NodeStatus;

use super::args::{Global, Node};
use super::run::{nodes, Out};

/// Runs a command on nodes.
pub async fn node(ctx: &Context, out: &Out, global: &Global, command: Node) -> Result<()> {
    let quiet = global.json || global.quiet;
    match command {
        Node::List => nodes(ctx, out).await,
        Node::Join(args) => {
            let joined = join::join(ctx, &args, quiet).await?;
            out.print(&joined, || {
                format!("node {} serves at {}: {} models", joined.node_id, joined.url, joined.models.len())
            })?;
            match args.detach || global.json {
                true => Ok(()),
                false => dashboard::show(ctx, &joined.home).await,
            }
        }
        Node::Leave(args) => {
            let leaving = leave::leave(ctx, &args, quiet).await?;
            out.print(&leaving, || match leaving.status {
                NodeStatus::Left => format!("node {} has left", leaving.node_id),
                _ => format!(
                    "node {} is leaving: call again from height {}",
                    leaving.node_id,
                    leaving.unbonds_at.unwrap_or_default()
                ),
            })
        }
        Node::Dashboard { node_home, once } => {
            let home = join::node_home(ctx, node_home.as_deref());
            if !once {
                return dashboard::show(ctx, &home).await;
            }
            let view = dashboard::look(ctx, &ctx.reader().await?, &home).await?;
            out.print(&view, || view.text())
        }
    }
}

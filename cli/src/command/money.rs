//! Commands on what one has earned.

use openledger::context::Context;
use openledger::error::Result;
use openledger::{earnings as earned, explain, keys, payout, show};
use openledger_types::formats::Account;

use super::args;
use super::run::Out;

/// The given address, else that of the key in use.
pub(super) fn address(ctx: &Context, given: Option<String>) -> Result<String> {
    match given {
        Some(address) => Ok(address),
        None => Ok(ctx.key(None)?.address(keys::PREFIX)?),
    }
}

pub(super) async fn earnings(ctx: &Context, out: &Out, args: args::Earnings) -> Result<()> {
    let address = address(ctx, args.address)?;
    if args.explain {
        let earned = explain::earned(ctx, &address, args.most).await?;
        return out.print(&earned, || show::earned(&earned));
    }
    let found = earned::earnings(ctx, &address).await?;
    out.print(&found, || {
        let rows: Vec<Vec<String>> = found
            .ledgers
            .iter()
            .map(|l| {
                let state = match (&l.problem, &l.pending) {
                    (Some(problem), _) => problem.clone(),
                    (None, Some(pending)) => pending.text(),
                    (None, None) if l.closed => "closed: the node was given up".into(),
                    (None, None) => String::new(),
                };
                vec![
                    l.node_id.to_string(),
                    l.uses.to_string(),
                    show::amount(l.cumulative.u128(), &l.denom),
                    show::amount(l.claimed.u128(), &l.denom),
                    show::amount(l.claimable.u128(), &l.denom),
                    state,
                ]
            })
            .collect();
        let mut text = show::table(&["node", "answers", "earned", "claimed", "claimable", ""], &rows);
        for a in &found.withdrawable {
            text.push_str(&format!("withdrawable {}\n", show::amount(a.amount.u128(), &a.denom)));
        }
        text
    })
}

pub(super) async fn claim(ctx: &Context, out: &Out, args: args::Claim) -> Result<()> {
    let signer = ctx.signer(None).await?;
    let mut accounts: Vec<Account> = args.addresses.into_iter().map(Account::Contributor).collect();
    if args.commons {
        accounts.extend([Account::Commons, Account::Dust]);
    }
    if accounts.is_empty() {
        accounts.push(Account::Contributor(signer.address().to_string()));
    }
    let done = earned::claim(ctx, &signer, &accounts, !args.no_withdraw).await?;
    out.print(&done, || {
        let rows: Vec<Vec<String>> = done
            .credited
            .iter()
            .map(|c| {
                let account = match &c.account {
                    Account::Contributor(address) => address.clone(),
                    Account::Commons => "commons".into(),
                    Account::Dust => "dust (commons)".into(),
                };
                let amount = show::amount(c.amount.u128(), &c.denom);
                vec![account, c.node_id.to_string(), c.uses.to_string(), amount, c.tx.clone()]
            })
            .collect();
        match (rows.is_empty(), done.txs.is_empty()) {
            (true, true) => "nothing to claim".into(),
            (true, false) => format!("withdrawn, tx {}", done.txs.join(" ")),
            _ => show::table(&["account", "node", "answers", "credited", "transaction"], &rows),
        }
    })
}

pub(super) async fn payouts(ctx: &Context, out: &Out, command: args::Payout) -> Result<()> {
    let done = match command {
        args::Payout::Show { address: given } => {
            let found = payout::show(ctx, &address(ctx, given)?).await?;
            return out.print(&found, || payout::text(&found));
        }
        args::Payout::Set { route, remote_addr } => payout::set(ctx, route, remote_addr).await?,
        args::Payout::Clear => payout::clear(ctx).await?,
        args::Payout::Withdraw => payout::withdraw(ctx).await?,
        args::Payout::Flush { route, accounts, denom } => {
            payout::flush(ctx, &route, &denom, accounts).await?
        }
    };
    out.print(&done, || done.text())
}

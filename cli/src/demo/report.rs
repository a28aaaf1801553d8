//! What the demo tells people and machines: answers, the table of payouts, the parts of the summary.

use std::collections::BTreeMap;

use cosmwasm_std::Uint128;
use openledger_types::api::AnswerBundle;
use openledger_types::money::divide_answer;
use openledger_types::msg::gateway::PayoutState;

use super::corpus;
use super::summary::{AnswerSummary, Contributor, IbcSummary, Payout, SessionSummary, ShareSummary};
use crate::{ask, show, table};

/// Shares of an answer by contributor.
pub(super) fn shares_of(
    bundle: &AnswerBundle,
    names: &BTreeMap<u64, Contributor>,
    data_bps: u16,
) -> Vec<ShareSummary> {
    let receipt = &bundle.receipt.receipt;
    let seed = receipt.seed.as_slice().try_into().unwrap_or_default();
    let division = divide_answer(receipt.fee.u128(), data_bps, &receipt.shares, receipt.no_evidence, &seed);
    let mut by_contributor: BTreeMap<Contributor, (u16, u128)> = BTreeMap::new();
    for (share, (_, amount)) in receipt.shares.iter().zip(&division.amounts) {
        if let Some(who) = names.get(&share.contribution_id) {
            let entry = by_contributor.entry(who.clone()).or_default();
            entry.0 += share.bps;
            entry.1 += amount;
        }
    }
    let mut shares: Vec<ShareSummary> = by_contributor
        .into_iter()
        .map(|(contributor, (bps, amount))| ShareSummary { contributor, bps, amount: Uint128::new(amount) })
        .collect();
    shares.sort_by(|a, b| b.bps.cmp(&a.bps).then_with(|| a.contributor.cmp(&b.contributor)));
    shares
}

pub(super) fn print_answer(
    index: &openledger_attribution::Index,
    question: &str,
    bundle: &AnswerBundle,
    names: &BTreeMap<u64, Contributor>,
    data_bps: u16,
) {
    let receipt = &bundle.receipt.receipt;
    let seed = receipt.seed.as_slice().try_into().unwrap_or_default();
    let trace = index.trace(question, &bundle.answer, &seed);
    println!("\n--- {question}");
    println!(
        "{}",
        show::highlight(&bundle.answer, &trace, std::io::IsTerminal::is_terminal(&std::io::stdout()))
    );
    println!(
        "--- {} tokens, fee {} OPEN, receipt {}",
        receipt.tokens_out,
        table::open(receipt.fee.u128()),
        hex::encode(receipt.digest())
    );
    for share in shares_of(bundle, names, data_bps).iter().take(6) {
        println!(
            "    {:>6.2} %  {:>10} OPEN  {}",
            f64::from(share.bps) / 100.0,
            table::open(share.amount.u128()),
            share.contributor.name
        );
    }
    let quoted =
        receipt.shares.iter().filter(|s| show::kind_of_evidence(bundle, s.contribution_id) == "quoted");
    let quoted: u32 = quoted.map(|share| u32::from(share.bps)).sum();
    println!("    {:>6.2} %  of it to contributions that the answer quotes", f64::from(quoted) / 100.0);
    println!("    {:>6.2} %  no evidence: to the commons", f64::from(receipt.no_evidence) / 100.0);
}

/// A payout with what the table shows beside it.
pub(super) struct Paid {
    pub(super) payout: Payout,
    pub(super) share: f64,
    pub(super) before: u128,
    pub(super) after: u128,
    /// Whether it is paid on the second chain.
    pub(super) abroad: bool,
}

pub(super) fn payout_table(
    payouts: &[Paid],
    origins: &BTreeMap<String, corpus::Origin>,
    ibc: Option<&IbcSummary>,
) -> String {
    let came_back = |p: &Paid| {
        let mut all = ibc.iter().flat_map(|ibc| &ibc.payouts);
        all.any(|x| x.contributor == p.payout.contributor && x.state == PayoutState::Refunded)
    };
    let rows: Vec<Vec<String>> = payouts
        .iter()
        .map(|p| {
            let license = origins.get(&p.payout.contributor.name).and_then(|o| o.license.clone());
            vec![
                p.payout.contributor.name.clone(),
                license.unwrap_or_default(),
                p.payout.uses.to_string(),
                format!("{:.2} %", p.share),
                table::open(p.payout.amount.u128()),
                match (p.abroad, came_back(p)) {
                    (true, true) => "IBC, after a timeout",
                    (true, false) => "IBC",
                    (false, _) => "bank",
                }
                .into(),
                table::open(p.before),
                table::open(p.after),
                p.payout.tx.as_deref().map_or("-".into(), |tx| format!("{}…", &tx[..tx.len().min(16)])),
            ]
        })
        .collect();
    let heading = [
        "contributor",
        "licence",
        "uses",
        "share",
        "paid",
        "by",
        "balance before",
        "balance after",
        "transaction",
    ];
    table::render(&heading, &rows, &[2, 3, 4, 6, 7])
}

pub(super) fn session_summary(
    session: &openledger_types::msg::escrow::SessionResponse,
    answers: &[(String, ask::Answer)],
) -> SessionSummary {
    let (mut data, mut commons) = (0u128, 0u128);
    let own = answers.iter().filter(|(_, a)| a.bundle.receipt.receipt.session_id == session.session_id);
    for (_, answer) in own {
        let receipt = &answer.bundle.receipt.receipt;
        let seed = receipt.seed.as_slice().try_into().unwrap_or_default();
        let division = divide_answer(
            receipt.fee.u128(),
            session.split.data,
            &receipt.shares,
            receipt.no_evidence,
            &seed,
        );
        data += division.amounts.iter().map(|(_, amount)| amount).sum::<u128>();
        commons += division.commons;
    }
    let fees: u128 = session.nodes.iter().map(|n| n.settled.u128()).sum();
    SessionSummary {
        id: session.session_id,
        denom: session.denom.clone(),
        deposited: Uint128::new(session.deposit.u128() + session.open_fee.u128()),
        open_fee: session.open_fee,
        fees: Uint128::new(fees),
        protocol: session.protocol,
        developer: session.developer_part,
        node: session.node_part,
        data: Uint128::new(data),
        commons: Uint128::new(commons),
        dust: Uint128::new(session.data_part.u128().saturating_sub(data).saturating_sub(commons)),
        refund: session.refunded,
    }
}

pub(super) fn answer_summary(
    prompt: &str,
    bundle: &AnswerBundle,
    names: &BTreeMap<u64, Contributor>,
    data_bps: u16,
    verified: bool,
) -> AnswerSummary {
    let receipt = &bundle.receipt.receipt;
    AnswerSummary {
        receipt_id: hex::encode(receipt.digest()),
        prompt: prompt.to_string(),
        answer: bundle.answer.clone(),
        fee: receipt.fee,
        no_evidence_bps: receipt.no_evidence,
        shares: shares_of(bundle, names, data_bps),
        verified,
    }
}

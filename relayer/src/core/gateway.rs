//! What a relayer does for the contract that pays contributors over IBC (`contracts/ibc-gateway`): sends
//! payouts that are due, marks those of which no news came, claims its bounties. And what it can say of a
//! payout whose callback was lost.

use openledger_types::msg::common::Amount;
use openledger_types::msg::gateway::{
    AccountResponse, ExecuteMsg, PayoutResponse, PayoutState, Resolution, MAX_FLUSH, MAX_ROUTE_DENOMS,
};
use serde::Serialize;

/// Payouts of a denom of a route that are due: accounts with enough money, no open payout and no hold-off
/// at `height`. Addresses, in messages of as many as the contract takes.
pub fn flushes(route: &str, denom: &str, accounts: &[AccountResponse], height: u64) -> Vec<ExecuteMsg> {
    let due = accounts.iter().filter(|account| {
        let named = account.preference.as_ref().is_some_and(|p| p.route == route);
        let free = account.next_attempt.is_some_and(|next| next <= height);
        let money = account.denoms.iter().find(|money| money.denom == denom);
        named
            && free
            && money.is_some_and(|m| {
                let all = m.accrued.saturating_add(m.in_escrow);
                m.open_payout.is_none() && !all.is_zero() && all >= m.min_payout
            })
    });
    let due: Vec<String> = due.map(|account| account.address.clone()).collect();
    due.chunks(MAX_FLUSH as usize)
        .map(|part| ExecuteMsg::FlushPayouts {
            route: route.into(),
            denom: denom.into(),
            accounts: Some(part.to_vec()),
            start_after: None,
            limit: Some(MAX_FLUSH),
        })
        .collect()
}

/// The claim of bounties worth at least `least` base units of their denom each; none when there are none.
pub fn claim(bounties: &[Amount], least: u128) -> Option<ExecuteMsg> {
    let worth = bounties.iter().filter(|b| !b.amount.is_zero() && b.amount.u128() >= least);
    let denoms: Vec<String> = worth.map(|b| b.denom.clone()).take(MAX_ROUTE_DENOMS).collect();
    (!denoms.is_empty()).then_some(ExecuteMsg::ClaimBounties { denoms })
}

/// Payouts in flight past their timeout and grace, marked so that their owner can be asked to decide.
pub fn marks(in_flight: &[PayoutResponse]) -> Vec<ExecuteMsg> {
    let overdue = in_flight.iter().filter(|p| p.state == PayoutState::InFlight && p.overdue);
    overdue.map(|p| ExecuteMsg::MarkUnresolved { payout_id: p.payout_id }).collect()
}

/// What the two chains show of a payout's packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Whether the packet still waits: its commitment stands on this chain.
    pub waits: bool,
    /// Whether the other chain has received it.
    pub received: bool,
    /// The acknowledgement that the other chain has written, when it is known.
    #[serde(skip)]
    pub acknowledgement: Option<Vec<u8>>,
}

/// What follows from the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The packet is on its way: it will settle the payout by itself once it is relayed.
    Waits,
    /// Nobody can tell from the chains' states.
    Unclear,
    /// It ended like this; the owner decides by `ResolvePayout`.
    Ended(Resolution),
}

/// Judges a packet that is done with on the sending chain. A success that the receiver wrote is a payment, an
/// error or a packet that was never received came back (ICS-20, ibc-go `OnAcknowledgementPacket`,
/// `OnTimeoutPacket`). What cannot be read is not guessed.
pub fn judge(evidence: &Evidence) -> Verdict {
    if evidence.waits {
        return Verdict::Waits;
    }
    let Some(bytes) = &evidence.acknowledgement else {
        return if evidence.received { Verdict::Unclear } else { Verdict::Ended(Resolution::Refunded) };
    };
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(serde_json::Value::Object(fields)) if fields.len() == 1 && fields.contains_key("result") => {
            Verdict::Ended(Resolution::Settled)
        }
        Ok(serde_json::Value::Object(fields)) if fields.len() == 1 && fields.contains_key("error") => {
            Verdict::Ended(Resolution::Refunded)
        }
        _ => Verdict::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use cosmwasm_std::Uint128;
    use openledger_types::msg::gateway::{AccountDenom, Preference};
    use proptest::prelude::*;

    use super::*;

    fn account(n: u32, accrued: u128, in_escrow: u128, open: bool, next: Option<u64>) -> AccountResponse {
        let money = AccountDenom {
            denom: "uopen".into(),
            accrued: Uint128::new(accrued),
            in_escrow: Uint128::new(in_escrow),
            min_payout: Uint128::new(10),
            bounty: Uint128::zero(),
            open_payout: open.then_some(1),
        };
        let preference =
            Preference { route: "peer".into(), channel_id: None, remote_addr: "peer1x".into(), payer: false };
        AccountResponse {
            address: format!("a{n}"),
            preference: Some(preference),
            failures: 0,
            next_attempt: next,
            denoms: vec![money],
        }
    }

    proptest! {
        /// An account is in exactly one message when its payout is due, and in none otherwise.
        #[test]
        fn due_accounts_and_no_others_are_flushed(
            list in prop::collection::vec((0u128..20, 0u128..20, any::<bool>(), prop::option::of(0u64..10)), 0..60),
            height in 0u64..10,
        ) {
            let accounts: Vec<AccountResponse> = list
                .iter()
                .enumerate()
                .map(|(n, (accrued, escrow, open, next))| account(n as u32, *accrued, *escrow, *open, *next))
                .collect();
            let due: Vec<String> = list
                .iter()
                .enumerate()
                .filter(|(_, (accrued, escrow, open, next))| {
                    accrued + escrow >= 10 && !open && next.is_some_and(|n| n <= height)
                })
                .map(|(n, _)| format!("a{n}"))
                .collect();
            let mut named = Vec::new();
            for message in flushes("peer", "uopen", &accounts, height) {
                let ExecuteMsg::FlushPayouts { accounts: Some(part), .. } = message else { panic!() };
                prop_assert!(!part.is_empty() && part.len() <= MAX_FLUSH as usize);
                named.extend(part);
            }
            prop_assert_eq!(named, due);
            prop_assert!(flushes("other", "uopen", &accounts, height).is_empty());
        }

        /// Whatever bytes an acknowledgement has, nothing but the two forms of ICS-4 decides.
        #[test]
        fn hostile_acknowledgements_decide_nothing(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let evidence = Evidence { waits: false, received: true, acknowledgement: Some(bytes.clone()) };
            let known = [br#"{"result""#.as_slice(), br#"{"error""#];
            if !known.iter().any(|start| bytes.starts_with(start)) {
                prop_assert_eq!(judge(&evidence), Verdict::Unclear);
            }
        }
    }

    #[test]
    fn a_lost_callback_is_judged_by_both_chains() {
        let judged = |waits, received, ack: Option<&str>| {
            let acknowledgement = ack.map(|a| a.as_bytes().to_vec());
            judge(&Evidence { waits, received, acknowledgement })
        };
        assert_eq!(judged(true, true, Some(r#"{"result":"AQ=="}"#)), Verdict::Waits);
        assert_eq!(judged(false, true, Some(r#"{"result":"AQ=="}"#)), Verdict::Ended(Resolution::Settled));
        assert_eq!(judged(false, true, Some(r#"{"error":"x"}"#)), Verdict::Ended(Resolution::Refunded));
        assert_eq!(judged(false, false, None), Verdict::Ended(Resolution::Refunded));
        assert_eq!(judged(false, true, None), Verdict::Unclear);
        assert_eq!(judged(false, true, Some(r#"{"result":"AQ==","error":"x"}"#)), Verdict::Unclear);
    }

    #[test]
    fn bounties_are_claimed_above_the_least() {
        let bounty = |denom: &str, amount: u128| Amount { denom: denom.into(), amount: Uint128::new(amount) };
        let all = [bounty("a", 5), bounty("b", 0), bounty("c", 100)];
        let claimed = claim(&all, 6);
        assert_eq!(claimed, Some(ExecuteMsg::ClaimBounties { denoms: vec!["c".into()] }));
        assert_eq!(claim(&all, 101), None);
        assert_eq!(claim(&[bounty("b", 0)], 0), None);
    }
}

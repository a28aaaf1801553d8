//! Parameters of all contracts: the protocol's defaults and the devnet's.

use cosmwasm_std::Uint128;
use openledger_types::msg::{datanet, escrow, model_registry, node_registry};

/// Parameters of all contracts.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Datanets.
    pub datanet: datanet::Params,
    /// Models.
    pub model_registry: model_registry::Params,
    /// Nodes.
    pub node_registry: node_registry::Params,
    /// Sessions and ledgers.
    pub escrow: escrow::Params,
}

impl Profile {
    /// The protocol's defaults for blocks of 5 seconds (PROTOCOL, table of parameters).
    pub fn protocol(denom: &str) -> Self {
        Profile {
            datanet: datanet::Params {
                denom: denom.into(),
                commit_bond: Uint128::new(10_000),
                reveal_blocks: 720,
                withdrawal_grace: 241_920,
            },
            model_registry: model_registry::Params { min_data_bps: 3_000, protocol_bps: 500 },
            // Longer than an epoch, four windows without attestations and a dispute together (F5).
            node_registry: node_registry::Params {
                denom: denom.into(),
                min_bond: Uint128::new(100_000_000),
                unbonding_blocks: 120_960,
            },
            escrow: escrow::Params {
                denoms: vec![escrow::DenomParams {
                    denom: denom.into(),
                    min_deposit: Uint128::new(100_000),
                    open_fee: Uint128::new(5_000),
                    min_fee: Uint128::new(10_000),
                }],
                grace_blocks: 720,
                challenge_blocks: 8_640,
                unattested_windows: 4,
                max_session_blocks: 120_960,
                in_flight: 4,
            },
        }
    }

    /// The same with windows divided by 400, at least 2 blocks each; a root is final after one
    /// window, because a devnet's validator audits.
    pub fn devnet(denom: &str) -> Self {
        let mut profile = Self::protocol(denom);
        for window in [
            &mut profile.datanet.reveal_blocks,
            &mut profile.datanet.withdrawal_grace,
            &mut profile.node_registry.unbonding_blocks,
            &mut profile.escrow.grace_blocks,
            &mut profile.escrow.challenge_blocks,
            &mut profile.escrow.max_session_blocks,
        ] {
            *window = (*window / 400).max(2);
        }
        profile.escrow.unattested_windows = 1;
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROTOCOL, introduction: no default is zero or disables its rule, and windows keep their order.
    fn ordered(profile: &Profile) {
        let Profile { datanet, model_registry, node_registry, escrow } = profile;
        for (name, window) in [
            ("reveal", datanet.reveal_blocks),
            ("withdrawal grace", datanet.withdrawal_grace),
            ("unbonding", node_registry.unbonding_blocks),
            ("session grace", escrow.grace_blocks),
            ("challenge", escrow.challenge_blocks),
            ("session life", escrow.max_session_blocks),
            ("in flight", u64::from(escrow.in_flight)),
            ("windows", u64::from(escrow.unattested_windows)),
            ("data", u64::from(model_registry.min_data_bps)),
            ("protocol", u64::from(model_registry.protocol_bps)),
        ] {
            assert!(window > 0, "{name}");
        }
        for amount in [datanet.commit_bond, node_registry.min_bond] {
            assert!(!amount.is_zero());
        }
        for denom in &escrow.denoms {
            assert!(!denom.min_deposit.is_zero() && !denom.open_fee.is_zero() && !denom.min_fee.is_zero());
        }
        // D4: a session ends before a withdrawal could make its receipts faults.
        assert!(datanet.withdrawal_grace > escrow.max_session_blocks);
        // F5: a bond stays longer than everything that could still be found out.
        let windows = escrow.challenge_blocks * u64::from(escrow.unattested_windows);
        assert!(node_registry.unbonding_blocks > windows + escrow.challenge_blocks * 2 + escrow.grace_blocks);
    }

    #[test]
    fn rule_f5_windows_keep_their_order() {
        ordered(&Profile::protocol("uopen"));
        ordered(&Profile::devnet("uopen"));
    }
}

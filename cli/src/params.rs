//! Parameters with which contracts are set up (the table of the protocol's rules).

use cosmwasm_std::Uint128;
use openledger_types::msg::{datanet, escrow, model_registry, node_registry};

/// Denom of fees and bonds.
pub const DENOM: &str = "uopen";

/// How windows are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Blocks of 5 seconds.
    Default,
    /// Blocks of half a second, windows divided by 400, at least 2 blocks.
    Devnet,
}

impl Profile {
    /// `blocks` of the protocol's table in this profile.
    pub fn window(self, blocks: u64) -> u64 {
        match self {
            Profile::Default => blocks,
            Profile::Devnet => (blocks / 400).max(2),
        }
    }

    /// Parameters of the datanet contract.
    pub fn datanet(self) -> datanet::Params {
        datanet::Params {
            denom: DENOM.into(),
            commit_bond: Uint128::new(1_000),
            // A reveal follows its commit at once, but a devnet on a busy machine may skip seconds:
            // its window is not divided.
            reveal_blocks: 720,
            withdrawal_grace: self.window(241_920),
        }
    }

    /// Parameters of the model registry.
    pub fn model_registry(self) -> model_registry::Params {
        model_registry::Params { min_data_bps: 3_000, protocol_bps: 500 }
    }

    /// Parameters of the node registry. Unbonding is longer than epoch, availability votes, demand,
    /// challenge and dispute together (F5).
    pub fn node_registry(self) -> node_registry::Params {
        let unbonding = self.window(720)
            + self.window(720)
            + self.window(360)
            + 4 * self.window(8_640)
            + self.window(17_280);
        node_registry::Params {
            denom: DENOM.into(),
            min_bond: Uint128::new(100_000_000),
            unbonding_blocks: unbonding + self.window(17_280),
        }
    }

    /// Parameters of the escrow.
    pub fn escrow(self) -> escrow::Params {
        escrow::Params {
            denoms: vec![escrow::DenomParams {
                denom: DENOM.into(),
                min_deposit: Uint128::new(100_000),
                open_fee: Uint128::new(5_000),
                min_fee: Uint128::new(10_000),
            }],
            grace_blocks: self.window(720),
            challenge_blocks: self.window(8_640),
            unattested_windows: 4,
            max_session_blocks: self.window(120_960),
            in_flight: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_default_is_zero_and_windows_are_ordered() {
        for profile in [Profile::Default, Profile::Devnet] {
            let (d, m, n, e) =
                (profile.datanet(), profile.model_registry(), profile.node_registry(), profile.escrow());
            for window in [
                d.reveal_blocks,
                d.withdrawal_grace,
                n.unbonding_blocks,
                e.grace_blocks,
                e.challenge_blocks,
                e.max_session_blocks,
                u64::from(e.unattested_windows),
                u64::from(e.in_flight),
            ] {
                assert!(window > 0, "{profile:?}");
            }
            assert!(!d.commit_bond.is_zero() && !n.min_bond.is_zero());
            assert!(m.min_data_bps >= 3_000 && m.protocol_bps > 0);
            for denom in &e.denoms {
                assert!(
                    !denom.min_deposit.is_zero() && !denom.open_fee.is_zero() && !denom.min_fee.is_zero()
                );
                assert!(denom.min_deposit >= denom.min_fee);
            }
            // D4: grace after a withdrawal outlasts every session; F5: bonds outlast every window.
            assert!(d.withdrawal_grace > e.max_session_blocks, "{profile:?}");
            assert!(n.unbonding_blocks > e.challenge_blocks * u64::from(e.unattested_windows), "{profile:?}");
        }
    }
}

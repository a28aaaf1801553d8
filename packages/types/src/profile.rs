//! Parameters with which the contracts are set up: the protocol's table, and the devnet's.

use cosmwasm_std::Uint128;

use crate::msg::{arbiter, datanet, escrow, gateway, model_registry, node_registry, referee, storage};

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
    /// Attestations, demands, cases.
    pub referee: referee::Params,
    /// Disputes before the arbiter.
    pub arbiter: arbiter::Params,
    /// Payouts to other chains, sessions paid from there.
    pub gateway: gateway::Params,
    /// Fragments, draws, deposits.
    pub storage: storage::Params,
}

impl Profile {
    /// The protocol's defaults for blocks of 5 seconds.
    pub fn protocol(denom: &str) -> Self {
        Profile {
            datanet: datanet::Params {
                denom: denom.into(),
                commit_bond: Uint128::new(10_000),
                reveal_blocks: 720,
                acceptance_blocks: 8_640,
                access_blocks: 120_960,
                developer_bond: Uint128::new(10_000_000),
                finder_bps: 4_000,
                burn_bps: 3_000,
                withdrawal_grace: 241_920,
            },
            model_registry: model_registry::Params {
                min_data_bps: 3_000,
                protocol_bps: 500,
                max_royalty_bps: 2_000,
                price_notice: 17_280,
            },
            node_registry: node_registry::Params {
                denom: denom.into(),
                min_bond: Uint128::new(100_000_000),
                // Longer than the longest session, which may have been opened in the block of the notice, its grace, epoch,
                // availability, demand, four windows without attestations, dispute and veto together (F5).
                unbonding_blocks: 211_680,
                key_blocks: 1_555_200,
                jail_blocks: 17_280,
                finder_bps: 3_000,
                burn_bps: 4_000,
                voted_cut_bps: 2_000,
                epoch_blocks: 720,
                veto_blocks: 34_560,
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
                epoch_blocks: 720,
                abandoned_epochs: 3,
                audit_bps: 4_000,
                abandoned_cut_bps: 1_000,
                exposure_bps: 5_000,
            },
            referee: referee::Params {
                denom: denom.into(),
                availability_blocks: 720,
                demand_blocks: 360,
                demand_bond: Uint128::new(1_000_000),
                max_demands: 16,
                dispute_blocks: 17_280,
                case_bond: Uint128::new(1_000_000),
                case_bond_bps: 500,
                // The most that exactly two thirds of the weight reach (L6): two of three alike, four of six.
                quorum_bps: 6_666,
                missed_roots: 3,
                missed_cut_bps: 10,
                fault_cut_bps: 2_000,
                withheld_cut_bps: 1_000,
                voted_cut_bps: 1_000,
                seed_blocks: 720,
                seed_cut_bps: 10,
            },
            // The longest descent through a trace fits half a dispute (F2).
            arbiter: arbiter::Params { move_blocks: 360 },
            gateway: gateway::Params {
                grace_seconds: 86_400,
                holdoff_blocks: 720,
                max_attempts: 5,
                bounty_bps: 100,
                bounty_window_blocks: 720,
                bounties_per_window: 200,
                callback_gas: 300_000,
                send_gas: 400_000,
                open_gas: 600_000,
            },
            storage: storage::Params {
                denom: denom.into(),
                // 0.02 OPEN for a GiB and about 58 days.
                default_price: Uint128::new(20_000),
                epoch_blocks: 720,
                answer_blocks: 240,
                samples: 8,
                assign_blocks: 12,
                accept_blocks: 720,
                notice_blocks: 17_280,
                leave_blocks: 17_280,
                miss_cut_bps: 100,
                max_misses: 3,
                cover_blocks: 17_280,
            },
        }
    }

    /// The same with windows divided by 400, at least 2 blocks each, for blocks of half a second. The
    /// window of a reveal is not divided, that of a seed by 6: a busy machine may need more than a second
    /// between commit and reveal.
    pub fn devnet(denom: &str) -> Self {
        let mut profile = Self::protocol(denom);
        let Profile { datanet, model_registry, node_registry, escrow, referee, arbiter, gateway, storage } =
            &mut profile;
        for window in [
            &mut datanet.acceptance_blocks,
            &mut datanet.access_blocks,
            &mut datanet.withdrawal_grace,
            &mut model_registry.price_notice,
            &mut node_registry.unbonding_blocks,
            &mut node_registry.key_blocks,
            &mut node_registry.jail_blocks,
            &mut node_registry.epoch_blocks,
            &mut node_registry.veto_blocks,
            &mut escrow.grace_blocks,
            &mut escrow.challenge_blocks,
            &mut escrow.max_session_blocks,
            &mut escrow.epoch_blocks,
            &mut referee.availability_blocks,
            &mut referee.demand_blocks,
            &mut referee.dispute_blocks,
            &mut arbiter.move_blocks,
            &mut gateway.holdoff_blocks,
            &mut gateway.bounty_window_blocks,
            &mut storage.assign_blocks,
            &mut storage.notice_blocks,
            &mut storage.leave_blocks,
        ] {
            *window = (*window / 400).max(2);
        }
        // A second is too short for an honest node on a busy machine to show a chunk.
        referee.demand_blocks = referee.demand_blocks.max(8);
        // Within it a seed is committed, and within the next but one revealed, by a busy machine: 60 seconds.
        referee.seed_blocks = 120;
        // A node on a busy machine has two minutes to fetch a fragment and 40 seconds to answer a draw.
        (storage.accept_blocks, storage.epoch_blocks, storage.answer_blocks) = (240, 120, 80);
        storage.cover_blocks = 240;
        // What a demo keeps for a minute is worth whole base units.
        storage.default_price = Uint128::new(100_000_000_000);
        // A move in a dispute is made by programs that look once a second; all of them fit the dispute (F2).
        arbiter.move_blocks = arbiter.move_blocks.max(6);
        referee.dispute_blocks = referee.dispute_blocks.max(118);
        // What was made longer above, a bond outlasts too (F5).
        node_registry.unbonding_blocks = node_registry.unbonding_blocks.max(612);
        // A packet of a devnet times out within minutes; nobody waits a day for what is lost.
        gateway.grace_seconds = 60;
        // Keys of a devnet that is left running overnight still work in the morning.
        node_registry.key_blocks = 1_555_200;
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROTOCOL, introduction: no default is zero or disables its rule, and windows keep their order.
    /// Destructured, so that a new parameter must be thought of.
    fn ordered(profile: &Profile) {
        let Profile {
            datanet: d,
            model_registry: m,
            node_registry: n,
            escrow: e,
            referee: r,
            arbiter: a,
            gateway: g,
            storage: s,
        } = profile;
        let datanet::Params {
            denom: _,
            commit_bond,
            reveal_blocks,
            acceptance_blocks,
            access_blocks,
            developer_bond,
            finder_bps,
            burn_bps,
            withdrawal_grace,
        } = d;
        let node_registry::Params {
            denom: _,
            min_bond,
            unbonding_blocks,
            key_blocks,
            jail_blocks,
            finder_bps: node_finder_bps,
            burn_bps: node_burn_bps,
            voted_cut_bps: cap_bps,
            epoch_blocks: node_epoch,
            veto_blocks,
        } = n;
        let escrow::Params {
            denoms,
            grace_blocks,
            challenge_blocks,
            unattested_windows,
            max_session_blocks,
            in_flight,
            epoch_blocks,
            abandoned_epochs,
            audit_bps,
            abandoned_cut_bps,
            exposure_bps,
        } = e;
        let referee::Params {
            denom: _,
            availability_blocks,
            demand_blocks,
            demand_bond,
            max_demands,
            dispute_blocks,
            case_bond,
            case_bond_bps,
            quorum_bps,
            missed_roots,
            missed_cut_bps,
            fault_cut_bps,
            withheld_cut_bps,
            voted_cut_bps,
            seed_blocks,
            seed_cut_bps,
        } = r;
        let arbiter::Params { move_blocks } = a;
        let gateway::Params {
            grace_seconds,
            holdoff_blocks,
            max_attempts,
            bounty_bps,
            bounty_window_blocks,
            bounties_per_window,
            callback_gas,
            send_gas,
            open_gas,
        } = g;
        let storage::Params {
            denom: _,
            default_price,
            epoch_blocks: draw_blocks,
            answer_blocks,
            samples,
            assign_blocks,
            accept_blocks,
            notice_blocks,
            leave_blocks,
            miss_cut_bps,
            max_misses,
            cover_blocks,
        } = s;
        let model_registry::Params { min_data_bps, protocol_bps, max_royalty_bps, price_notice } = m;
        let numbers = [
            *reveal_blocks,
            *acceptance_blocks,
            *access_blocks,
            *withdrawal_grace,
            *price_notice,
            *unbonding_blocks,
            *key_blocks,
            *jail_blocks,
            *node_epoch,
            *veto_blocks,
            *grace_blocks,
            *challenge_blocks,
            u64::from(*unattested_windows),
            *max_session_blocks,
            u64::from(*in_flight),
            *epoch_blocks,
            u64::from(*abandoned_epochs),
            *availability_blocks,
            *demand_blocks,
            u64::from(*max_demands),
            *dispute_blocks,
            *move_blocks,
            u64::from(*missed_roots),
            *seed_blocks,
            *grace_seconds,
            *holdoff_blocks,
            u64::from(*max_attempts),
            *bounty_window_blocks,
            u64::from(*bounties_per_window),
            *callback_gas,
            *send_gas,
            *open_gas,
            *draw_blocks,
            *answer_blocks,
            u64::from(*samples),
            *assign_blocks,
            *accept_blocks,
            *notice_blocks,
            *leave_blocks,
            u64::from(*max_misses),
            *cover_blocks,
        ];
        assert!(numbers.iter().all(|number| *number > 0), "{numbers:?}");
        let parts = [
            finder_bps,
            burn_bps,
            node_finder_bps,
            node_burn_bps,
            cap_bps,
            audit_bps,
            abandoned_cut_bps,
            exposure_bps,
            case_bond_bps,
            quorum_bps,
            missed_cut_bps,
            fault_cut_bps,
            withheld_cut_bps,
            voted_cut_bps,
            seed_cut_bps,
            min_data_bps,
            protocol_bps,
            max_royalty_bps,
            bounty_bps,
            miss_cut_bps,
        ];
        assert!(parts.iter().all(|part| (1..=10_000).contains(*part)), "{parts:?}");
        for amount in [commit_bond, developer_bond, min_bond, demand_bond, case_bond, default_price] {
            assert!(!amount.is_zero());
        }
        for denom in denoms {
            assert!(!denom.min_deposit.is_zero() && !denom.open_fee.is_zero() && !denom.min_fee.is_zero());
            assert!(denom.min_deposit >= denom.min_fee);
        }
        // D4: a session ends before a withdrawal could make its receipts faults.
        assert!(withdrawal_grace > max_session_blocks);
        // F5: a bond stays longer than everything that could still be found out and vetoed. A node that gave notice
        // answers in the sessions that are open, and settles their last answer within their grace.
        let windows = challenge_blocks * u64::from(*unattested_windows);
        let known = epoch_blocks + availability_blocks + demand_blocks + windows + dispute_blocks;
        let served = max_session_blocks + grace_blocks;
        assert!(
            *unbonding_blocks > served + known + veto_blocks,
            "{unbonding_blocks} {served} {known} {veto_blocks}"
        );
        // L6: auditors have time to attest and nodes to answer before a window is over.
        assert!(availability_blocks + demand_blocks <= *challenge_blocks);
        // F5: accusing oneself loses, and part of every cut is burned.
        assert!(finder_bps + burn_bps <= 10_000 && *finder_bps < 10_000);
        assert!(node_finder_bps + node_burn_bps <= 10_000 && *node_finder_bps < 10_000);
        // F5: what waits is at most half the bond. I2: audits take at most half of the protocol's part.
        assert!(*exposure_bps <= 5_000 && *audit_bps <= 5_000);
        // P1, I4: the chain gives a callback at most 1,000,000 gas; a bounty is a small part of a payout.
        assert!(*callback_gas <= 1_000_000 && *open_gas < 1_000_000 && *bounty_bps <= 500);
        // I3: a draw is answered before the next, a cut covers at least one draw, and the bond stays
        // longer than a leaving node owes its fragments.
        assert!(answer_blocks < draw_blocks && cover_blocks >= draw_blocks);
        assert!(leave_blocks + draw_blocks < *unbonding_blocks);
        // F2: a trace of 2^20 slots, none of more than 2^12 units, is descended in 17 moves, with two more for the answer
        // and the expiry of the last.
        assert!(move_blocks * 19 <= *dispute_blocks, "{move_blocks} {dispute_blocks}");
        // F3: a quorum is more than half.
        assert!(*quorum_bps > 5_000);
    }

    #[test]
    fn rule_f5_no_default_disables_its_rule_and_windows_keep_their_order() {
        ordered(&Profile::protocol("uopen"));
        ordered(&Profile::devnet("uopen"));
    }
}

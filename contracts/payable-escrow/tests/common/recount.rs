//! Conservation, recounted from what queries show.

use cosmwasm_std::{Uint128, Uint256};

use super::Suite;

impl Suite {
    /// Asserts conservation, and recounts every counter from what other queries show.
    pub fn assert_conserved(&self) {
        let all = self.invariants();
        assert!(all.holds, "{:?}", all.broken);
        let sessions = self.sessions();
        for of in &all.denoms {
            let sum: Uint256 = of.terms.iter().map(|t| t.amount).sum();
            assert_eq!(of.balance, sum + of.surplus);
            assert!(of.surplus.is_zero(), "coins that no counter knows");
            let term = |name: &str| {
                let amount = of.terms.iter().find(|t| t.name == name).unwrap().amount;
                Uint128::try_from(amount).unwrap().u128()
            };
            let mut escrowed = 0;
            for s in sessions.iter().filter(|s| s.denom == of.denom) {
                let spent = s.protocol + s.developer_part + s.node_part + s.data_part;
                let settled: u128 = s.nodes.iter().map(|n| n.settled.u128()).sum();
                // A verdict before finality returns fees of receipts that stay in the log.
                let returned = self.returned.get(&s.session_id).copied().unwrap_or(0);
                assert_eq!(spent.u128() + returned, settled, "parts of session {}", s.session_id);
                escrowed += (s.deposit - spent - s.refunded).u128();
                if s.closed {
                    assert_eq!(s.deposit, spent + s.refunded);
                }
            }
            assert_eq!(escrowed, term("escrowed"), "escrowed {}", of.denom);
            let (mut covered, mut ledgers, mut audits) = (0, 0, 0);
            for id in self.nodes.keys() {
                let ledger = self.ledger(*id, &of.denom);
                let paid = ledger.claimed + ledger.refunded;
                assert!(paid <= ledger.funded, "L1 of node {id}");
                ledgers += (ledger.funded - paid).u128();
                covered +=
                    self.pending(*id).filter(|e| e.commit.denom == of.denom).map_or(0, |e| e.fees.u128());
                for epoch in 1..=ledger.epoch {
                    let epoch = self.epoch(*id, &of.denom, epoch);
                    audits += (epoch.audit - epoch.audit_paid).u128();
                }
            }
            // A root covers what waits and what cases hold of it; of final roots only cases hold.
            let late: u128 = self
                .cases
                .iter()
                .filter(|(_, (_, denom, _))| *denom == of.denom)
                .filter(|(_, (node_id, denom, epoch))| self.is_final(*node_id, denom, *epoch))
                .map(|(case_id, _)| self.held(*case_id).fees.u128())
                .sum();
            assert_eq!(covered + late, term("pending") + term("held"), "pending and held {}", of.denom);
            assert_eq!(ledgers, term("ledgers"), "ledgers {}", of.denom);
            assert_eq!(audits, term("audits"), "audits {}", of.denom);
            let accrued: u128 = self.everyone().iter().map(|a| self.balance(a, &of.denom)).sum();
            assert_eq!(accrued, term("accrued"), "accrued {}", of.denom);
        }
    }
}

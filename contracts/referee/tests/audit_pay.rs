use cosmwasm_std::Uint128;
use openledger_referee::ContractError;
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::referee::ExecuteMsg;

use crate::common::{refused, Suite, NODE, OPEN};

fn claim(suite: &mut Suite, auditor: u64) -> cosmwasm_std::StdResult<cw_multi_test::AppResponse> {
    let msg = ExecuteMsg::ClaimAudit { auditor, node_id: NODE, denom: OPEN.into(), epoch: 1 };
    suite.act(&suite.bob.clone(), &msg)
}

fn paid(suite: &Suite) -> Vec<(String, u128)> {
    suite
        .escrow_told()
        .into_iter()
        .filter_map(|msg| match msg {
            EscrowMsg::PayAudit { to, amount, .. } => Some((to, amount.u128())),
            _ => None,
        })
        .collect()
}

#[test]
fn rule_f4_audit_pay_is_divided_by_weight_among_those_who_attested() {
    let mut suite = Suite::new();
    suite.set_weight(13, 70);
    suite.attest(12, 1).unwrap();
    suite.attest(11, 1).unwrap();
    suite.attest(13, 1).unwrap();
    suite.set_root(1, RootStatus::Final);
    for auditor in [11, 12, 13] {
        claim(&mut suite, auditor).unwrap();
        refused(claim(&mut suite, auditor), &ContractError::NoAuditPay { auditor });
    }
    // 1,000 by 50, 30 and 70 of 150: floors, the rest stays with the escrow.
    let [a, b, c] = [11, 12, 13].map(|auditor| suite.operator(auditor).to_string());
    assert_eq!(paid(&suite), [(a, 333), (b, 200), (c, 466)]);
    assert_eq!(suite.root(1).audit_paid, Uint128::new(999));
}

#[test]
fn rule_f4_nothing_is_paid_for_roots_that_are_not_final_or_not_attested() {
    let mut suite = Suite::new();
    refused(claim(&mut suite, 11), &ContractError::NotPayable {});
    suite.attest(11, 1).unwrap();
    suite.set_root(1, RootStatus::Final);
    refused(claim(&mut suite, 11), &ContractError::NotPayable {});
    suite.set_root(1, RootStatus::Pending);
    suite.attest(12, 1).unwrap();
    refused(claim(&mut suite, 11), &ContractError::NotPayable {});
    suite.set_root(1, RootStatus::Void);
    refused(claim(&mut suite, 11), &ContractError::NotPayable {});
    suite.set_root(1, RootStatus::Final);
    refused(claim(&mut suite, 13), &ContractError::NoAuditPay { auditor: 13 });
    claim(&mut suite, 11).unwrap();
}

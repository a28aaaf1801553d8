//! Who may send what, and with which coins.

use cosmwasm_std::{coin, HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_testing::{datanet_msg, Batch, Document, RECIPIENT};
use openledger_types::formats::SumRoot;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::datanet::{ExecuteMsg, Policy};

use crate::common::{fixture, Fixture, BOND};

#[path = "../../../packages/contract/tests/tables.rs"]
mod tables;

/// Price of training and bond of a developer together.
const ACCESS: u128 = 10_000_100;

/// Every message, who may send it (`*`: anyone) and the coins that it takes.
fn table(f: &Fixture, batch: &Batch) -> Vec<(ExecuteMsg, &'static str, u128)> {
    let datanet_id = f.datanet_id;
    let (bob, params) = (f.bob.to_string(), f.world.profile.datanet.clone());
    let wrapped = HexBinary::from(vec![1; 10]);
    let reason = || "spam".to_string();
    let propose = || OwnershipAction::Propose { new_owner: bob.clone() };
    let (model_registry, referee) = (f.world.model_registry.to_string(), f.world.referee.to_string());
    let (owner, one) = (f.alice.to_string(), Uint128::one());
    vec![
        (datanet_msg("x"), "*", 0),
        (ExecuteMsg::EditDatanet { datanet_id, name: None, description: None }, "datanet owner", 0),
        (
            ExecuteMsg::UpdateTerms {
                datanet_id,
                min_data_bps: 1,
                floor_per_token: one,
                training_price: one,
            },
            "datanet owner",
            0,
        ),
        (
            ExecuteMsg::UpdateCurators { datanet_id: 2, curators: vec![bob.clone()], quorum: 1 },
            "datanet owner",
            0,
        ),
        (ExecuteMsg::UpdateDatanetOwner { datanet_id, action: propose() }, "datanet owner", 0),
        (
            ExecuteMsg::UpdateDatanetOwner { datanet_id, action: OwnershipAction::Cancel {} },
            "datanet owner",
            0,
        ),
        (
            ExecuteMsg::UpdateDatanetOwner { datanet_id, action: OwnershipAction::Renounce {} },
            "datanet owner",
            0,
        ),
        (ExecuteMsg::EditContribution { contribution_id: 1, title: "t".into() }, "contributor", 0),
        (ExecuteMsg::Withdraw { contribution_ids: vec![1] }, "contributor", 0),
        (
            ExecuteMsg::Curate { contribution_ids: vec![2], approve: false, reason: reason(), slash: false },
            "curator",
            0,
        ),
        (ExecuteMsg::ReleaseBonds { commit_id: 1 }, "*", 0),
        (ExecuteMsg::BuyAccess { datanet_id, recipient: RECIPIENT.into() }, "*", ACCESS),
        (
            ExecuteMsg::GrantAccess { datanet_id, developer: bob.clone(), wrapped: wrapped.clone() },
            "datanet owner",
            0,
        ),
        (ExecuteMsg::LeaveAccess { datanet_id }, "*", 0),
        (ExecuteMsg::SlashAccess { datanet_id, developer: bob.clone(), reason: reason() }, "governance", 0),
        (
            ExecuteMsg::UseAccess {
                datanet_id,
                version: 1,
                developer: bob.clone(),
                model_id: 1,
                model_version: 1,
                training: SumRoot::empty(),
            },
            "model registry",
            0,
        ),
        (ExecuteMsg::ClaimTraining { datanet_id, model_id: 1, model_version: 1, items: vec![] }, "*", 0),
        (ExecuteMsg::FundBounty { datanet_id, topic: "t".into(), blocks: 5 }, "*", 5),
        (ExecuteMsg::AddToBounty { bounty_id: 1 }, "*", 5),
        (ExecuteMsg::AwardBounty { bounty_id: 1, contribution_id: 1, amount: one }, "datanet owner", 0),
        (ExecuteMsg::LeaveBounty { bounty_id: 1 }, "*", 0),
        (ExecuteMsg::FundStorage { parts: vec![(datanet_id, Uint128::new(5))] }, "*", 5),
        (ExecuteMsg::HoldContribution { contribution_id: 1, open: true }, "referee", 0),
        (
            ExecuteMsg::ConvictContribution {
                contribution_id: 1,
                copied_of: None,
                reason: reason(),
                finder: bob.clone(),
            },
            "referee",
            0,
        ),
        (ExecuteMsg::Connect { model_registry, referee }, "governance", 0),
        (ExecuteMsg::ConnectStorage { storage: bob.clone() }, "governance", 0),
        (ExecuteMsg::ForwardDeposit { datanet_id }, "*", 0),
        (ExecuteMsg::Commit { datanet_id, root: batch.root(), count: 1 }, "*", BOND),
        (ExecuteMsg::Reveal { commit_id: 3, items: batch.items().into() }, "committer", 0),
        (ExecuteMsg::ExpireCommit { commit_id: 3 }, "*", 0),
        (ExecuteMsg::Seal { datanet_id, up_to: None, limit: None }, "datanet owner", 0),
        (ExecuteMsg::GrantKey { datanet_id, node_id: 1, wrapped: wrapped.clone() }, "datanet owner", 0),
        (
            ExecuteMsg::RotateKey { datanet_id, recipient: RECIPIENT.into(), previous: wrapped },
            "datanet owner",
            0,
        ),
        (ExecuteMsg::WithdrawBonds {}, "*", 0),
        (ExecuteMsg::SpendTreasury { to: owner, amount: one }, "governance", 0),
        (ExecuteMsg::UpdateParams { params }, "governance", 0),
        (ExecuteMsg::SetPaused { paused: false }, "governance", 0),
        (ExecuteMsg::UpdateOwnership(propose()), "governance", 0),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), "governance", 0),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), "governance", 0),
    ]
}

/// Alice owns datanet 1, and datanet 2 with a curator; the contributor gave one document to each; a
/// commit of Bob's is open, who also has access and funded a bounty.
fn scene() -> (Fixture, Batch) {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let (curator, contributor) = (f.world.account("curator"), f.world.account("contributor"));
    let mut curated = datanet_msg("curated");
    if let ExecuteMsg::CreateDatanet { policy, .. } = &mut curated {
        *policy = Some(Policy::Curated { curators: vec![curator.to_string()], quorum: 1 });
    }
    f.world.create_datanet_with(&alice, &curated).unwrap();
    let terms = ExecuteMsg::UpdateTerms {
        datanet_id,
        min_data_bps: 3_000,
        floor_per_token: Uint128::new(50),
        training_price: Uint128::new(100),
    };
    f.send(&alice, &terms).unwrap();
    f.world.contribute(&contributor, datanet_id, Document::generate(8, 1)).unwrap();
    f.world.contribute(&contributor, 2, Document::generate(9, 1)).unwrap();
    f.pay(&bob, &ExecuteMsg::FundBounty { datanet_id, topic: "t".into(), blocks: 5 }, 5).unwrap();
    f.world.buy_access(&bob, datanet_id).unwrap();
    let batch = Batch::new(&bob, Document::generate(1, 1));
    f.world.commit(&bob, datanet_id, &batch).unwrap();
    (f, batch)
}

/// The senders of the table, and one who may nothing.
fn roles(f: &mut Fixture) -> Vec<(&'static str, cosmwasm_std::Addr)> {
    vec![
        ("governance", f.world.owner.clone()),
        ("datanet owner", f.alice.clone()),
        ("committer", f.bob.clone()),
        ("contributor", f.world.account("contributor")),
        ("curator", f.world.account("curator")),
        ("referee", f.world.referee.clone()),
        ("model registry", f.world.model_registry.clone()),
        ("stranger", f.world.account("stranger")),
    ]
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0.. {
        let (mut f, batch) = scene();
        let Some((msg, allowed, coins)) = table(&f, &batch).into_iter().nth(number) else {
            break;
        };
        for (role, sender) in roles(&mut f) {
            f.world.mint(&sender, coin(1_000_000_000, "uopen"));
            let funds = if coins > 0 { f.world.coins(coins) } else { vec![] };
            let datanet = f.world.datanet.clone();
            let sent = f.world.execute(&sender, &datanet, &msg, &funds);
            let unauthorized = sent.is_err_and(|refused| refused.0.starts_with("unauthorized"));
            assert_eq!(unauthorized, allowed != "*" && allowed != role, "{role}: {msg:?}");
        }
    }
}

#[test]
fn finding_p5_every_message_takes_its_coins_and_no_others() {
    let (mut f, batch) = scene();
    let datanet = f.world.datanet.clone();
    let roles = roles(&mut f);
    for (_, sender) in &roles {
        f.world.mint(sender, coin(1_000, "uother"));
        f.world.mint(sender, coin(1_000, "uopen"));
    }
    for (msg, allowed, coins) in table(&f, &batch) {
        let sender = &roles.iter().find(|(role, _)| *role == allowed).unwrap_or(&roles[1]).1;
        let both = vec![coin(1, "uopen"), coin(1, "uother")];
        let wrong: Vec<Vec<cosmwasm_std::Coin>> = match coins {
            0 => vec![vec![coin(1, "uopen")], vec![coin(1, "uother")], both],
            // Deposits take any denom.
            _ if matches!(msg, ExecuteMsg::FundStorage { .. }) => vec![vec![], both],
            _ => vec![vec![], vec![coin(1, "uother")], both],
        };
        for funds in wrong {
            let refused = f.world.execute(sender, &datanet, &msg, &funds).unwrap_err();
            match coins {
                0 => assert!(refused.is(&CommonError::NonPayable {}), "{msg:?}: {refused}"),
                _ => assert!(refused.0.starts_with("send exactly one coin"), "{msg:?}: {refused}"),
            }
        }
    }
}

#[test]
fn every_message_has_a_row() {
    let (f, batch) = scene();
    let table = table(&f, &batch);
    assert_eq!(tables::told(table.iter().map(|(msg, ..)| msg)), tables::all::<ExecuteMsg>());
}

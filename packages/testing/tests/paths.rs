//! What contributors, curators and developers do with a datanet, and what a pause leaves alone, through
//! all contracts. On a simulated chain, or with the compiled contracts on one that runs (see `live`).

mod live;

use cosmwasm_std::{Addr, HexBinary, Uint128};
use openledger_testing::{
    attribute, datanet_msg, new_version, training_root_of, Answer, Batch, Document, NodeModel, Result,
    TrainingTree, World,
};
use openledger_types::msg::datanet::{
    BountyResponse, ContributionStatus, ExecuteMsg, Policy, QueryMsg, Visibility,
};
use openledger_types::msg::escrow::ExecuteMsg as EscrowMsg;
use openledger_types::msg::model_registry::{ExecuteMsg as ModelMsg, TrainedOn};
use openledger_types::msg::node_registry::ExecuteMsg as NodeMsg;

fn tell(
    world: &mut World,
    sender: &Addr,
    msg: &ExecuteMsg,
    coins: u128,
) -> Result<cw_multi_test::AppResponse> {
    let (datanet, funds) = (world.datanet.clone(), world.coins(coins));
    let funds = if coins == 0 { vec![] } else { funds };
    world.execute(sender, &datanet, msg, &funds)
}

/// What the datanet contract pays an address out.
fn paid_out(world: &mut World, to: &Addr) -> u128 {
    let before = world.balance(to);
    world.withdraw_bonds(to).unwrap();
    world.balance(to) - before
}

#[test]
fn rule_d6_training_access_is_bought_used_and_shared_by_training_leaves() {
    const PRICE: u128 = 1_000;
    let mut world = live::world(|_| {});
    let (owner, alice, bob) = (world.account("owner"), world.account("alice"), world.account("bob"));
    let developer = world.account("developer");
    let mut msg = datanet_msg("for sale");
    if let ExecuteMsg::CreateDatanet { visibility, public_identity, training_price, .. } = &mut msg {
        (*visibility, *public_identity) = (Visibility::Sealed, None);
        *training_price = Some(Uint128::new(PRICE));
    }
    let datanet_id = world.create_datanet_with(&owner, &msg).unwrap();
    let given = [
        world.contribute(&alice, datanet_id, Document::generate(1, 2)).unwrap(),
        world.contribute(&bob, datanet_id, Document::generate(2, 1)).unwrap(),
    ]
    .concat();
    let version = world.seal(&owner, datanet_id).unwrap().version;

    let tree = TrainingTree::new(&[(given[0], 3), (given[1], 3), (given[2], 1)]);
    let mut new = new_version("model", &world.denom, &[(datanet_id, version)]);
    new.datanets = vec![TrainedOn { datanet_id, version, training: tree.root() }];
    new.training_root = training_root_of(&new.datanets);
    let model_id = world.create_model(&developer).unwrap();
    assert!(world.register_version(&developer, model_id, new.clone()).is_err(), "nothing was paid");
    world.buy_access(&developer, datanet_id).unwrap();
    let grant = ExecuteMsg::GrantAccess {
        datanet_id,
        developer: developer.to_string(),
        wrapped: HexBinary::from(&[7; 200]),
    };
    tell(&mut world, &owner, &grant, 0).unwrap();
    let model_version = world.register_version(&developer, model_id, new).unwrap();
    world.assert_invariants();

    let claim = ExecuteMsg::ClaimTraining { datanet_id, model_id, model_version, items: tree.items() };
    tell(&mut world, &owner, &claim, 0).unwrap();
    assert!(tell(&mut world, &owner, &claim, 0).is_err(), "a leaf is paid once");
    assert_eq!(paid_out(&mut world, &alice), 856, "twice the floor of 1,000 x 3 / 7");
    assert_eq!(paid_out(&mut world, &bob), 142, "the floor of 1,000 / 7");
    // D6: the bond returns after the key's window.
    let bond = world.profile.datanet.developer_bond.u128();
    let blocks = world.profile.datanet.access_blocks;
    world.advance(blocks + 1);
    tell(&mut world, &developer, &ExecuteMsg::LeaveAccess { datanet_id }, 0).unwrap();
    assert_eq!(paid_out(&mut world, &developer), bond);
    world.assert_invariants();
}

#[test]
fn a_bounty_pays_who_brought_what_was_missing() {
    let mut world = live::world(|_| {});
    let (owner, funder, alice) = (world.account("owner"), world.account("funder"), world.account("alice"));
    let datanet_id = world.create_datanet(&owner).unwrap();
    let fund = ExecuteMsg::FundBounty { datanet_id, topic: "bread baking".into(), blocks: 30 };
    let funded = tell(&mut world, &funder, &fund, 1_000).unwrap();
    let bounty_id: u64 = attribute(&funded, "bounty_funded", "bounty_id").unwrap().parse().unwrap();
    let given = world.contribute(&alice, datanet_id, Document::generate(3, 1)).unwrap();
    let accepted = world.contribution(given[0]).unwrap().accepted_at;
    world.advance_to(accepted);
    let award = |amount| ExecuteMsg::AwardBounty {
        bounty_id,
        contribution_id: given[0],
        amount: Uint128::new(amount),
    };
    assert!(tell(&mut world, &funder, &award(300), 0).is_err(), "the datanet's owner awards");
    assert!(tell(&mut world, &owner, &award(1_001), 0).is_err(), "no more than was promised");
    tell(&mut world, &owner, &award(300), 0).unwrap();
    let datanet = world.datanet.clone();
    let told: BountyResponse = world.query(&datanet, &QueryMsg::Bounty { bounty_id }).unwrap();
    assert_eq!((told.funded.u128(), told.awarded.u128()), (1_000, 300));
    world.advance_to(told.expires);
    tell(&mut world, &funder, &ExecuteMsg::LeaveBounty { bounty_id }, 0).unwrap();
    assert_eq!(paid_out(&mut world, &alice), 300);
    assert_eq!(paid_out(&mut world, &funder), 700);
    world.assert_invariants();
}

#[test]
fn a_curated_version_takes_what_a_quorum_approved_and_a_slashed_bond_is_gone() {
    let mut world = live::world(|_| {});
    let (owner, bob) = (world.account("owner"), world.account("bob"));
    let mut curators: Vec<Addr> = ["one", "two"].map(|name| world.account(name)).to_vec();
    curators.sort();
    let mut msg = datanet_msg("curated");
    if let ExecuteMsg::CreateDatanet { policy, .. } = &mut msg {
        let curators = curators.iter().map(Addr::to_string).collect();
        *policy = Some(Policy::Curated { curators, quorum: 2 });
    }
    let datanet_id = world.create_datanet_with(&owner, &msg).unwrap();
    let batch = Batch::new(&bob, Document::generate(4, 3));
    let commit_id = world.commit(&bob, datanet_id, &batch).unwrap();
    let given = world.reveal(&bob, commit_id, batch.items()).unwrap();
    assert_eq!(world.status(given[0]).unwrap(), ContributionStatus::Proposed);
    for curator in &curators {
        let take = ExecuteMsg::Curate {
            contribution_ids: given[..2].to_vec(),
            approve: true,
            reason: String::new(),
            slash: false,
        };
        tell(&mut world, curator, &take, 0).unwrap();
        let refuse = ExecuteMsg::Curate {
            contribution_ids: given[2..].to_vec(),
            approve: false,
            reason: "spam".into(),
            slash: true,
        };
        tell(&mut world, curator, &refuse, 0).unwrap();
    }
    assert_eq!(world.status(given[2]).unwrap(), ContributionStatus::Rejected);
    let version = world.seal(&owner, datanet_id).unwrap();
    assert_eq!(version.size, 2);
    world.advance(1);
    world.release_bonds(&bob, commit_id).unwrap();
    let bond = world.profile.datanet.commit_bond.u128();
    assert_eq!(paid_out(&mut world, &bob), 2 * bond);
    world.assert_invariants();
}

#[test]
fn rule_a1_a_pause_stops_new_work_and_no_exit() {
    let mut world = live::world(|_| {});
    let (owner, alice, user) = (world.account("owner"), world.account("alice"), world.account("user"));
    let datanet_id = world.create_datanet(&owner).unwrap();
    let given = world.contribute(&alice, datanet_id, Document::generate(5, 1)).unwrap();
    let hidden = Batch::new(&alice, Document::generate(6, 1));
    let commit_id = world.commit(&alice, datanet_id, &hidden).unwrap();
    let revealed = world.reveal(&alice, commit_id, hidden.items()).unwrap();
    let version = world.seal(&owner, datanet_id).unwrap().version;
    let model = world.register_model("developer", &[(datanet_id, version)]).unwrap();
    let mut node = NodeModel::register(&mut world, "node").unwrap();
    let mut client = world.open_session(&user, model, &[(node.node_id, 1_000_000)]).unwrap();

    let governance = world.owner.clone();
    let (datanet, escrow) = (world.datanet.clone(), world.escrow.clone());
    let (models, nodes) = (world.model_registry.clone(), world.node_registry.clone());
    world.execute(&governance, &datanet, &ExecuteMsg::SetPaused { paused: true }, &[]).unwrap();
    world.execute(&governance, &escrow, &EscrowMsg::SetPaused { paused: true }, &[]).unwrap();
    world.execute(&governance, &models, &ModelMsg::SetPaused { paused: true }, &[]).unwrap();
    world.execute(&governance, &nodes, &NodeMsg::SetPaused { paused: true }, &[]).unwrap();
    assert!(world.open_session(&user, model, &[(node.node_id, 1_000_000)]).is_err());
    assert!(world.create_model(&owner).is_err());
    assert!(world.create_datanet(&owner).is_err());
    assert!(world.contribute(&alice, datanet_id, Document::generate(7, 1)).is_err());

    // Everything that was begun goes on to its end.
    let voucher = client.ask(node.node_id, "still there?", 100_000);
    let receipt = node.answer(&world, &voucher, Answer::citing(&[(given[0], 5_000)]));
    client.acknowledge(&receipt);
    node.receive(&client.acknowledgement(node.node_id));
    let posting = node.post_epoch(&mut world, &[client.session_id]).unwrap();
    world.request_close(&user, client.session_id).unwrap();
    world.finalize(node.node_id).unwrap();
    world.claim(&alice, posting.claims()).unwrap();
    let before = world.balance(&alice);
    world.withdraw(&alice).unwrap();
    assert!(world.balance(&alice) > before);
    let grace = world.profile.escrow.grace_blocks;
    world.advance(grace + 1);
    world.refund(&user, client.session_id).unwrap();
    let before = world.balance(&user);
    world.withdraw(&user).unwrap();
    assert!(world.balance(&user) > before);
    world.withdraw_contributions(&alice, &[revealed[0]]).unwrap();
    assert_eq!(world.status(revealed[0]).unwrap(), ContributionStatus::Withdrawn);
    world.assert_invariants();
}

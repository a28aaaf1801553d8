use cosmwasm_std::{coin, Addr, Uint128};
use openledger_contract::CommonError;
use openledger_datanet::ContractError;
use openledger_testing::{attribute, Batch, Document, Refused};
use openledger_types::msg::datanet::{BountiesResponse, BountyResponse, ExecuteMsg, QueryMsg};

use crate::common::{fixture, text, Fixture, WINDOW};

/// Blocks of a bounty.
const BLOCKS: u64 = 100;

fn fund(f: &mut Fixture, funder: &Addr, amount: u128) -> u64 {
    let msg =
        ExecuteMsg::FundBounty { datanet_id: f.datanet_id, topic: "bread baking".into(), blocks: BLOCKS };
    let done = f.pay(funder, &msg, amount).unwrap();
    attribute(&done, "bounty_funded", "bounty_id").unwrap().parse().unwrap()
}

fn award(f: &mut Fixture, bounty_id: u64, contribution_id: u64, amount: u128) -> Result<(), Refused> {
    let alice = f.alice.clone();
    let msg = ExecuteMsg::AwardBounty { bounty_id, contribution_id, amount: Uint128::new(amount) };
    f.send(&alice, &msg).map(drop)
}

fn bounty(f: &Fixture, bounty_id: u64) -> BountyResponse {
    f.ask(&QueryMsg::Bounty { bounty_id }).unwrap()
}

fn given(f: &mut Fixture, contributor: &Addr, words: &str) -> u64 {
    let datanet_id = f.datanet_id;
    let id = f.world.contribute(contributor, datanet_id, text(words)).unwrap()[0];
    f.world.advance(WINDOW);
    id
}

#[test]
fn a_bounty_pays_contributors_and_its_funders_take_back_the_rest() {
    let mut f = fixture();
    let (bob, carol, dave) = (f.bob.clone(), f.world.account("carol"), f.world.account("dave"));
    let id = fund(&mut f, &carol, 1_000);
    f.pay(&dave, &ExecuteMsg::AddToBounty { bounty_id: id }, 500).unwrap();
    let good = given(&mut f, &bob, "how to bake bread");
    award(&mut f, id, good, 299).unwrap();
    assert_eq!((f.withdrawable(&bob), f.term("bounties")), (299, 1_201));
    let told = bounty(&f, id);
    assert_eq!((told.funded.u128(), told.awarded.u128(), told.founder), (1_500, 299, carol.to_string()));

    let expires = told.expires;
    let leave = ExecuteMsg::LeaveBounty { bounty_id: id };
    f.world.advance_to(expires - 1);
    assert!(f.send(&carol, &leave).unwrap_err().is(&ContractError::BountyOpen { bounty_id: id, expires }));
    f.world.advance(1);
    let over = ContractError::BountyExpired { bounty_id: id, expires };
    assert!(award(&mut f, id, good, 1).unwrap_err().is(&over));
    assert!(f.pay(&dave, &ExecuteMsg::AddToBounty { bounty_id: id }, 1).unwrap_err().is(&over));
    f.send(&dave, &leave).unwrap();
    assert_eq!(f.withdrawable(&dave), 400, "floor of 1,201 x 500 / 1,500");
    assert!(f.send(&dave, &leave).unwrap_err().is(&ContractError::NotAFunder { bounty_id: id }));
    f.send(&carol, &leave).unwrap();
    assert_eq!(f.withdrawable(&carol), 800);
    assert_eq!((f.term("bounties"), f.term("treasury")), (0, 1), "finding P2: the remainder");
    assert_eq!(bounty(&f, id).returned.u128(), 1_201);
    f.world.assert_invariants();
}

#[test]
fn a_bounty_is_awarded_only_to_what_it_was_meant_for() {
    let mut f = fixture();
    let (alice, bob, carol, datanet_id) =
        (f.alice.clone(), f.bob.clone(), f.world.account("carol"), f.datanet_id);
    let before = given(&mut f, &bob, "given before");
    // Committed before, revealed after.
    let batch = Batch::new(&bob, text("committed before"));
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    let id = fund(&mut f, &carol, 1_000);
    let hidden = f.world.reveal(&bob, commit_id, batch.items()).unwrap()[0];
    let other = f.world.create_datanet(&bob).unwrap();
    let elsewhere = f.world.contribute(&bob, other, text("elsewhere")).unwrap()[0];
    let young = f.world.contribute(&bob, datanet_id, Document::generate(1, 3)).unwrap();
    let accepted = "an accepted one of its datanet";
    let refused = |f: &mut Fixture, contribution_id, rule| {
        let refused = award(f, id, contribution_id, 1).unwrap_err();
        assert!(refused.is(&ContractError::NotAwardable { contribution_id, rule }), "{refused}");
    };
    refused(&mut f, young[0], accepted);
    f.world.advance(WINDOW);
    f.hold(young[1], true).unwrap();
    f.world.withdraw_contributions(&bob, &young[2..]).unwrap();
    refused(&mut f, young[1], accepted);
    refused(&mut f, young[2], accepted);
    refused(&mut f, elsewhere, accepted);
    refused(&mut f, before, "committed after the bounty");
    refused(&mut f, hidden, "committed after the bounty");
    assert!(award(&mut f, id, young[0], 0).unwrap_err().0.contains("amount"));
    award(&mut f, id, young[0], 600).unwrap();
    assert!(award(&mut f, id, young[0], 401)
        .unwrap_err()
        .is(&ContractError::BountyTooSmall { available: 400 }));
    f.world.seal(&alice, datanet_id).unwrap();
    award(&mut f, id, young[0], 400).unwrap();
    assert_eq!(f.withdrawable(&bob), 1_000);
    f.world.assert_invariants();
}

#[test]
fn attack_a_datanets_owner_cannot_award_others_coins_to_oneself() {
    let mut f = fixture();
    let (alice, carol) = (f.alice.clone(), f.world.account("carol"));
    let others = fund(&mut f, &carol, 1_000);
    let shared = fund(&mut f, &alice, 1_000);
    f.pay(&carol, &ExecuteMsg::AddToBounty { bounty_id: shared }, 1).unwrap();
    let alone = fund(&mut f, &alice, 1_000);
    f.pay(&alice, &ExecuteMsg::AddToBounty { bounty_id: alone }, 1).unwrap();
    let own = given(&mut f, &alice, "how I bake bread");
    for id in [others, shared] {
        assert!(award(&mut f, id, own, 1).unwrap_err().0.contains("somebody else"));
    }
    award(&mut f, alone, own, 1_001).unwrap();
    assert_eq!(f.withdrawable(&alice), 1_001);
}

#[test]
fn finding_p5_bounties_take_one_coin_of_the_bonds_denom() {
    let mut f = fixture();
    let (bob, datanet, datanet_id) = (f.bob.clone(), f.world.datanet.clone(), f.datanet_id);
    f.world.mint(&bob, coin(1_000, "uother"));
    let id = fund(&mut f, &bob, 1);
    let promise = ExecuteMsg::FundBounty { datanet_id, topic: "bread".into(), blocks: 5 };
    for msg in [promise, ExecuteMsg::AddToBounty { bounty_id: id }] {
        for funds in [vec![], vec![coin(7, "uother")], vec![coin(7, "uopen"), coin(1, "uother")]] {
            let refused = f.world.execute(&bob, &datanet, &msg, &funds).unwrap_err();
            assert!(refused.is(&CommonError::WrongFunds { expected: "uopen".into() }));
        }
    }
    let wrong = [
        ("topic", datanet_id, "", 5),
        ("topic", datanet_id, "a\nb", 5),
        ("parameter blocks", datanet_id, "bread", 0),
        ("parameter blocks", datanet_id, "bread", u64::MAX),
        ("there is no datanet", 9, "bread", 5),
    ];
    for (field, datanet_id, topic, blocks) in wrong {
        let msg = ExecuteMsg::FundBounty { datanet_id, topic: topic.into(), blocks };
        let refused = f.pay(&bob, &msg, 7).unwrap_err();
        assert!(refused.0.starts_with(field), "{refused}");
    }
    let missing = f.pay(&bob, &ExecuteMsg::AddToBounty { bounty_id: 9 }, 1).unwrap_err();
    assert!(missing.is(&ContractError::BountyNotFound { bounty_id: 9 }));
}

#[test]
fn rule_a1_pause_stops_new_bounties_only() {
    let mut f = fixture();
    let (owner, bob, carol, datanet_id) =
        (f.world.owner.clone(), f.bob.clone(), f.world.account("carol"), f.datanet_id);
    let id = fund(&mut f, &carol, 10);
    let good = given(&mut f, &bob, "how to bake bread");
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    let msg = ExecuteMsg::FundBounty { datanet_id, topic: "bread".into(), blocks: 5 };
    assert!(f.pay(&carol, &msg, 7).unwrap_err().is(&CommonError::Paused {}));
    award(&mut f, id, good, 4).unwrap();
    f.world.advance(BLOCKS);
    f.send(&carol, &ExecuteMsg::LeaveBounty { bounty_id: id }).unwrap();
    f.world.withdraw_bonds(&carol).unwrap();
}

#[test]
fn finding_p4_bounties_are_listed_by_datanet() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    for _ in 0..35 {
        fund(&mut f, &bob, 3);
    }
    let ids = |f: &Fixture, start_after, limit| {
        let msg = QueryMsg::Bounties { datanet_id, start_after, limit };
        let answer: BountiesResponse = f.ask(&msg).unwrap();
        answer.bounties.iter().map(|bounty| bounty.bounty_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&f, None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(ids(&f, None, Some(100)).len(), 30);
    assert_eq!(ids(&f, Some(33), None), [34, 35]);
}

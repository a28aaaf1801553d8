use cosmwasm_std::HexBinary;
use openledger_contract::CommonError;
use openledger_datanet::ContractError;
use openledger_testing::{Batch, Document};
use openledger_types::formats::{BlobRef, Uses};
use openledger_types::msg::datanet::{ContributionStatus, ExecuteMsg, MatchResponse, QueryMsg, RevealItem};

use crate::common::{fixture, text, Fixture, BOND, REVEAL};

/// Commits to documents as Bob, without revealing.
fn committed(f: &mut Fixture, documents: Vec<Document>) -> (u64, Batch) {
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, documents);
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    (commit_id, batch)
}

fn holder(f: &Fixture, match_hash: &HexBinary) -> Option<u64> {
    let msg = QueryMsg::ByMatchHash { match_hash: match_hash.clone() };
    f.ask::<MatchResponse>(&msg).unwrap().contribution_id
}

#[test]
fn rule_d1_within_the_window_the_commits_place_is_kept_and_the_bond_stays_at_stake() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 2));
    let priority = f.world.commit_of(commit_id).unwrap().priority;
    f.world.advance(REVEAL);
    let given = f.world.reveal(&bob, commit_id, batch.items()).unwrap();
    for id in &given {
        let contribution = f.world.contribution(*id).unwrap();
        assert_eq!(contribution.facts.priority, priority);
        assert_eq!(contribution.facts.contributor, bob.to_string());
        assert_eq!(contribution.facts.license, "CC-BY-4.0", "the datanet's, because none was named");
        assert_eq!(contribution.status, ContributionStatus::Accepted);
    }
    assert_eq!((f.term("bonds_held"), f.term("bonds_at_stake")), (0, 2 * BOND));
    let datanet = f.world.datanet_of(f.datanet_id).unwrap();
    let bytes: u64 = batch.items().iter().map(|item| item.content_len).sum();
    assert_eq!((datanet.contributions, datanet.bytes), (2, bytes));
}

#[test]
fn rule_d1_a_late_reveal_takes_its_own_place_and_forfeits_its_bond() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 2));
    f.world.advance(REVEAL + 1);
    let given = f.world.reveal(&bob, commit_id, vec![batch.item(1)]).unwrap();
    let facts = f.world.contribution(given[0]).unwrap().facts;
    assert_eq!(facts.priority.height, f.world.height());
    assert_eq!((f.term("bonds_held"), f.term("withdrawable"), f.term("treasury")), (BOND, 0, BOND));
    f.world.assert_invariants();
}

#[test]
fn rule_d1_a_copied_root_opens_nothing_for_another_owner() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 2));
    let copied = f.world.commit(&alice, datanet_id, &batch).unwrap();
    let refused = f.world.reveal(&alice, copied, batch.items()).unwrap_err();
    assert!(refused.is(&ContractError::NotCommitted { commit_id: copied, index: 0 }));
    let refused = f.world.reveal(&alice, commit_id, batch.items()).unwrap_err();
    assert!(refused.is(&CommonError::Unauthorized { role: "who committed" }));
    assert!(f.world.reveal(&bob, commit_id, batch.items()).is_ok());
}

#[test]
fn every_changed_byte_of_a_leaf_is_refused() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 3));
    let flip = |hash: &[u8; 32]| {
        let mut bytes = *hash;
        bytes[0] ^= 1;
        bytes
    };
    type Change<'a> = Box<dyn Fn(&mut RevealItem) + 'a>;
    let changes: Vec<Change<'_>> = vec![
        Box::new(|item| item.salt = flip(&item.salt)),
        Box::new(|item| item.raw_hash = flip(&item.raw_hash)),
        Box::new(|item| item.path[0] = flip(&item.path[0])),
        Box::new(|item| item.index = 1),
        Box::new(|item| item.index = 3),
        Box::new(|item| item.index = u32::MAX),
        Box::new(|item| {
            item.path.pop();
        }),
        Box::new(|item| item.path.push(item.salt)),
    ];
    for change in changes {
        let mut item = batch.item(0);
        change(&mut item);
        let index = item.index;
        let refused = f.world.reveal(&bob, commit_id, vec![item]).unwrap_err();
        assert!(refused.is(&ContractError::NotCommitted { commit_id, index }), "{refused}");
    }
}

#[test]
fn fields_of_a_wrong_form_are_refused() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 1));
    type Change<'a> = Box<dyn Fn(&mut RevealItem) + 'a>;
    let changes: Vec<(&str, Change)> = vec![
        ("content_len", Box::new(|item| item.content_len = 0)),
        ("content_len", Box::new(|item| item.content_len = u64::MAX)),
        ("match_len", Box::new(|item| item.match_len = 0)),
        ("blob_len", Box::new(|item| item.blob_len = 0)),
        ("media", Box::new(|item| item.media = "text".into())),
        ("license", Box::new(|item| item.license = Some(String::new()))),
        ("title", Box::new(|item| item.title = "t".repeat(129))),
        ("title", Box::new(|item| item.title = "\u{1b}[2J".into())),
    ];
    for (field, change) in changes {
        let mut item = batch.item(0);
        change(&mut item);
        let refused = f.world.reveal(&bob, commit_id, vec![item]).unwrap_err();
        assert!(refused.0.starts_with(field), "{field}: {refused}");
    }
    for items in [vec![], vec![batch.item(0); 65]] {
        let refused = f.world.reveal(&bob, commit_id, items).unwrap_err();
        assert!(refused.0.starts_with("items"), "{refused}");
    }
}

#[test]
fn finding_p6_a_leaf_opens_once() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 9));
    let again = ContractError::AlreadyRevealed { commit_id, index: 8 };
    let twice = f.world.reveal(&bob, commit_id, vec![batch.item(8), batch.item(8)]).unwrap_err();
    assert!(twice.is(&again));
    f.world.reveal(&bob, commit_id, vec![batch.item(8)]).unwrap();
    let refused = f.world.reveal(&bob, commit_id, vec![batch.item(0), batch.item(8)]).unwrap_err();
    assert!(refused.is(&again));
    assert_eq!(f.world.commit_of(commit_id).unwrap().revealed, 1, "a refused message changes nothing");
}

#[test]
fn rule_d2_a_second_copy_is_refused_on_every_datanet() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let first = f.world.contribute(&bob, datanet_id, text("The same words")).unwrap()[0];
    let other = f.world.create_datanet(&alice).unwrap();
    for target in [datanet_id, other] {
        // Case and spaces are not part of the match text.
        let mut documents = Document::generate(2, 1);
        documents.extend(text("the SAME  words"));
        let refused = f.world.contribute(&alice, target, documents).unwrap_err();
        assert!(refused.is(&ContractError::MatchTaken { index: 1, contribution_id: first }), "{refused}");
    }
}

#[test]
fn rule_d2_the_second_of_one_commit_is_refused() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, [text("one text"), text("One  text")].concat());
    let refused = f.world.reveal(&bob, commit_id, batch.items()).unwrap_err();
    assert!(refused.is(&ContractError::MatchTaken { index: 1, contribution_id: 1 }));
    assert!(f.world.reveal(&bob, commit_id, vec![batch.item(1)]).is_ok());
}

#[test]
fn rule_d2_an_earlier_commit_wins_even_if_revealed_second() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&alice).unwrap();
    // Both commits in one block: the index of the transaction decides.
    let early = Batch::new(&bob, text("the words"));
    let early_id = f.world.commit(&bob, other, &early).unwrap();
    let late = Batch::new(&alice, text("the words"));
    let late_id = f.world.commit(&alice, datanet_id, &late).unwrap();

    let second = f.world.reveal(&alice, late_id, late.items()).unwrap()[0];
    let hash = late.item(0).match_hash;
    assert_eq!(holder(&f, &HexBinary::from(&hash)), Some(second));
    let first = f.world.reveal(&bob, early_id, early.items()).unwrap()[0];
    assert_eq!(holder(&f, &HexBinary::from(&hash)), Some(first));
    let lost = f.world.contribution(second).unwrap();
    assert_eq!((lost.status, lost.duplicate_of), (ContributionStatus::Duplicate, Some(first)));
    let refused = f.seal_later(None, None).unwrap_err();
    assert!(refused.is(&ContractError::EmptyVersion { datanet_id, up_to: f.world.height() }));
}

#[test]
fn rule_d2_a_sealed_duplicate_stays_in_its_version() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&bob).unwrap();
    let early = Batch::new(&bob, text("the words"));
    let early_id = f.world.commit(&bob, other, &early).unwrap();
    f.world.advance(1);
    let second = f.world.contribute(&alice, datanet_id, text("the words")).unwrap()[0];
    let version = f.world.seal(&alice, datanet_id).unwrap();
    let first = f.world.reveal(&bob, early_id, early.items()).unwrap()[0];

    let lost = f.world.contribution(second).unwrap();
    assert_eq!((lost.status, lost.duplicate_of), (ContributionStatus::Duplicate, Some(first)));
    assert_eq!((lost.version, lost.position), (Some(1), Some(0)));
    assert_eq!(f.world.version(datanet_id, 1).unwrap().version, version, "sealed roots never change");
    assert_eq!(f.world.seal(&bob, other).unwrap().size, 1);
}

#[test]
fn rule_a1_pause_does_not_stop_reveals() {
    let mut f = fixture();
    let (owner, bob) = (f.world.owner.clone(), f.bob.clone());
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 1));
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    assert!(f.world.reveal(&bob, commit_id, batch.items()).is_ok());
    f.seal_later(None, None).unwrap();
    f.world.advance(1);
    f.world.release_bonds(&bob, commit_id).unwrap();
    f.send(&bob, &ExecuteMsg::WithdrawBonds {}).unwrap();
}

#[test]
fn a_whole_block_opens_under_one_path() {
    for count in [1, 2, 3, 63, 64, 65, 66, 130] {
        let mut f = fixture();
        let bob = f.bob.clone();
        let (commit_id, batch) = committed(&mut f, Document::generate(1, count));
        for block in batch.blocks() {
            f.world.reveal(&bob, commit_id, block).unwrap();
        }
        assert_eq!(f.world.commit_of(commit_id).unwrap().revealed as usize, count);
    }
}

#[test]
fn a_block_with_a_gap_a_swap_or_a_wrong_path_is_refused() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 130));
    let block = batch.blocks()[1].clone();
    type Change = fn(&mut Vec<RevealItem>);
    let changes: [Change; 7] = [
        |items| items.swap(3, 4),
        |items| drop(items.remove(5)),
        |items| drop(items.remove(0)),
        |items| items.iter_mut().for_each(|item| item.index -= 64),
        |items| items[0].path.clear(),
        |items| items[7].salt = items[8].salt,
        |items| items[0].index = u32::MAX - 63,
    ];
    for change in changes {
        let mut items = block.clone();
        change(&mut items);
        let refused = f.world.reveal(&bob, commit_id, items).unwrap_err();
        assert!(refused.0.contains("is not in commit"), "{refused}");
    }
    f.world.reveal(&bob, commit_id, block).unwrap();
}

#[test]
fn everything_said_of_a_leaf_is_kept_whatever_its_neighbours_say() {
    let mut f = fixture();
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    let original = f.world.contribute(&alice, f.datanet_id, text("the first words")).unwrap()[0];
    f.world.advance(1);
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 20));
    let mut items = batch.items();
    for (at, item) in items.iter_mut().enumerate() {
        let bit = |bit: usize| at >> bit & 1 == 1;
        item.uses = bit(0).then_some(Uses { train: bit(1), answer: bit(2), commercial: bit(3) });
        item.license = bit(1).then(|| "MIT".to_string());
        item.media = if bit(2) { "image/png".into() } else { "text/plain".into() };
        item.near_duplicate_of = bit(3).then_some(original);
        item.title = "t".repeat(at * 6);
    }
    f.world.reveal(&bob, commit_id, items[..13].to_vec()).unwrap();
    f.world.advance(REVEAL + 1);
    f.world.reveal(&bob, commit_id, items[13..].to_vec()).unwrap();
    for (at, item) in items.iter().enumerate() {
        let id = original + 1 + at as u64;
        let kept = f.world.contribution(id).unwrap();
        assert_eq!(kept.facts.contribution_id, id);
        assert_eq!(kept.facts.content_root, HexBinary::from(&item.content_root));
        assert_eq!(kept.facts.match_root, HexBinary::from(&item.match_root));
        assert_eq!(kept.facts.match_hash, HexBinary::from(&item.match_hash));
        assert_eq!(kept.facts.blob, BlobRef { root: HexBinary::from(&item.blob_root), len: item.blob_len });
        assert_eq!((kept.facts.content_len, kept.facts.match_len), (item.content_len, item.match_len));
        assert_eq!((&kept.facts.media, &kept.title), (&item.media, &item.title));
        assert_eq!(kept.facts.uses, item.uses.unwrap_or(Uses::ALL));
        assert_eq!(kept.facts.license, item.license.as_deref().unwrap_or("CC-BY-4.0"));
        assert_eq!(kept.facts.contributor, bob.to_string());
        assert_eq!(kept.cluster, item.near_duplicate_of.unwrap_or(id));
        let commit = f.world.commit_of(commit_id).unwrap();
        assert_eq!(kept.facts.priority == commit.priority, at < 13, "late leaves have their own place");
    }
}

#[test]
fn rule_d2_a_claimed_cluster_is_that_of_an_earlier_commit_and_never_chains() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&alice).unwrap();
    let first = f.world.contribute(&alice, other, text("one")).unwrap()[0];
    f.world.advance(1);
    let mut given = vec![first];
    for (words, of) in [("two", 0), ("three", 1)] {
        let (commit_id, batch) = committed(&mut f, text(words));
        let mut item = batch.item(0);
        item.near_duplicate_of = Some(given[of]);
        given.push(f.world.reveal(&bob, commit_id, vec![item]).unwrap()[0]);
        f.world.advance(1);
    }
    for id in &given {
        assert_eq!(f.world.contribution(*id).unwrap().cluster, first, "the first of all, on any datanet");
    }
    // An earlier commit, revealed later, can name nothing that was committed after it; nor a neighbour.
    let early = Batch::new(&alice, [text("four"), text("five")].concat());
    let early_id = f.world.commit(&alice, datanet_id, &early).unwrap();
    f.world.advance(1);
    let later = f.world.contribute(&bob, datanet_id, text("six")).unwrap()[0];
    for of in [later, later + 1, later + 2] {
        let mut items = early.items();
        items[1].near_duplicate_of = Some(of);
        let refused = f.world.reveal(&alice, early_id, items).unwrap_err();
        assert!(refused.is(&ContractError::NotEarlier { index: 1, contribution_id: of }), "{refused}");
    }
}

#[test]
fn a_leaf_of_a_batch_costs_little_more_than_one_write() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let (commit_id, batch) = committed(&mut f, Document::generate(1, 64));
    let before = f.world.app.dump_wasm_raw(&f.world.datanet.clone()).len();
    f.world.reveal(&bob, commit_id, batch.items()).unwrap();
    let after = f.world.app.dump_wasm_raw(&f.world.datanet.clone());
    // A match text each, a group for eight, a run, a place in the queue, the datanet's sums, and the
    // open commit less.
    assert_eq!(after.len() - before, 64 + 8 + 1 + 1 + 1 - 1);
    let groups: Vec<usize> = after
        .iter()
        .filter(|(key, _)| key[2..].starts_with(b"records"))
        .map(|(_, value)| value.len())
        .collect();
    assert!(groups.iter().sum::<usize>() / 64 < 180, "{groups:?}");
}

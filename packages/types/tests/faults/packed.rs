//! Proofs as they travel: one form each, and every proof survives the way.

use openledger_types::faults::{Fault, FiledFault};
use openledger_types::packed::{Packed, Proof};
use proptest::prelude::*;

use super::innocent::{accusations, statements};
use super::story::{judge, Dice, Story};

fn filed(story: &Story) -> Vec<FiledFault> {
    let last = story.epochs.len() - 1;
    let made = (0..=last).flat_map(|epoch| accusations(story, epoch, last));
    let mut all: Vec<_> = made.map(|(stated, fault)| FiledFault { stated, fault }).collect();
    let receipt = story.epochs[0].receipts.receipts[0].clone();
    let fault = Fault::Citation { receipt, contribution_id: 1 };
    all.push(FiledFault { stated: all[0].stated.clone(), fault });
    all
}

#[test]
fn rule_f1_every_kind_of_proof_reads_back_from_its_packed_form() {
    let story = Story::new(1);
    let mut kinds = std::collections::BTreeSet::new();
    for filed in filed(&story) {
        kinds.insert(filed.fault.name());
        let bytes = filed.pack();
        assert_eq!(FiledFault::unpack(&bytes).as_ref(), Ok(&filed));
        let json = cosmwasm_std::to_json_string(&Proof(filed.clone())).unwrap();
        assert_eq!(cosmwasm_std::from_json::<Proof>(&json).unwrap(), Proof(filed));
        // Most of a proof is hashes: base64 of them is far shorter than their hexadecimal in JSON.
        assert!(json.len() < 2 * bytes.len());
    }
    assert_eq!(kinds.len(), 15, "{kinds:?}");
}

#[test]
fn attack_proofs_cut_short_or_with_more_behind_them_are_refused() {
    let story = Story::new(0);
    for filed in filed(&story).into_iter().step_by(7) {
        let bytes = filed.pack();
        for len in 0..bytes.len() {
            assert!(FiledFault::unpack(&bytes[..len]).is_err());
        }
        assert!(FiledFault::unpack(&[&bytes[..], &[0]].concat()).is_err());
    }
}

/// A list that promises more entries than there are bytes ends with the bytes.
#[test]
fn attack_a_list_that_promises_entries_without_end() {
    let endless = [0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(FiledFault::unpack(&endless).is_err());
    assert!(openledger_types::packed::unpack_part::<Vec<u64>>(&[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn rule_f1_bent_bytes_convict_no_honest_node_and_have_one_form(seed in 0u64..3, rolls in any::<u64>()) {
        let story = Story::new(seed);
        let (all, stated) = (filed(&story), statements(&story));
        let mut dice = Dice::new(rolls);
        for _ in 0..40 {
            let mut bytes = all[dice.roll(all.len() as u64) as usize].pack();
            for _ in 0..1 + dice.roll(3) {
                let at = dice.roll(bytes.len() as u64) as usize;
                bytes[at] = dice.roll(256) as u8;
            }
            let Ok(bent) = FiledFault::unpack(&bytes) else { continue };
            prop_assert_eq!(bent.pack(), bytes);
            // The escrow confirms true statements only; a citation is looked up in the datanet contract.
            if matches!(bent.fault, Fault::Citation { .. }) {
                continue;
            }
            let truth = &stated[dice.roll(stated.len() as u64) as usize];
            prop_assert!(judge(&bent.fault, truth).is_err(), "{:?}", bent.fault);
        }
    }
}

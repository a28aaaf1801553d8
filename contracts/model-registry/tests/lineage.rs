//! Royalties to ancestors (PROTOCOL L11).

use openledger_model_registry::ContractError;
use openledger_testing::{attributes, new_version, parents, ModelRef};
use openledger_types::money::Split;
use openledger_types::msg::model_registry::{ExecuteMsg, Parent, ParentKind};

use crate::common::{fixture, Fixture};

/// A split whose developer gets this much; the node gets the rest.
fn split(developer: u16) -> Split {
    Split { protocol: 500, developer, node: 5_500 - developer, data: 4_000 }
}

/// Base models of developers `base0`, `base1`, …, each asking 100 basis points.
fn bases(f: &mut Fixture, count: usize) -> Vec<ModelRef> {
    (0..count).map(|number| f.model(&format!("base{number}"), 100, &[]).unwrap()).collect()
}

#[test]
fn rule_l11_a_parent_earns_its_royalty() {
    let mut f = fixture();
    let base = f.model("base", 300, &[]).unwrap();
    assert!(f.royalties(base).is_empty(), "a model without parents owes nothing");
    let child = f.model("child", 200, &[base]).unwrap();
    assert_eq!(f.royalties(child), f.owed(&[("base", 300)]));
    let version = f.world.model_version(child).unwrap();
    assert_eq!(version.parents, parents(ParentKind::Base, &[base]));
    assert_eq!(version.royalty_bps, 200, "what it asks for itself is not owed by itself");
}

#[test]
fn rule_l11_grandparents_are_flattened_into_the_child() {
    let mut f = fixture();
    let base = f.model("base", 300, &[]).unwrap();
    let tuned = f.model("tuned", 200, &[base]).unwrap();
    let merged = f.model("merged", 100, &[tuned]).unwrap();
    let last = f.model("last", 0, &[merged]).unwrap();
    assert_eq!(f.royalties(merged), f.owed(&[("base", 300), ("tuned", 200)]));
    assert_eq!(f.royalties(last), f.owed(&[("base", 300), ("tuned", 200), ("merged", 100)]));
}

#[test]
fn rule_l11_royalties_to_one_developer_are_merged() {
    let mut f = fixture();
    let (first, second) = (f.model("base", 300, &[]).unwrap(), f.model("base", 50, &[]).unwrap());
    let child = f.model("child", 0, &[first, second]).unwrap();
    assert_eq!(f.royalties(child), f.owed(&[("base", 350)]));
    // Through two parents an ancestor earns twice: each of them owes it.
    let (left, right) = (f.model("left", 10, &[first]).unwrap(), f.model("right", 20, &[first]).unwrap());
    let diamond = f.model("diamond", 0, &[left, right]).unwrap();
    assert_eq!(f.royalties(diamond), f.owed(&[("base", 600), ("left", 10), ("right", 20)]));
}

#[test]
fn rule_l11_a_developers_own_ancestor_earns_like_any_other() {
    let mut f = fixture();
    let first = f.model("bob", 300, &[]).unwrap();
    let bob = f.bob.clone();
    let mut next = new_version("next", "uopen", &[(1, 1)]);
    next.parents = parents(ParentKind::Base, &[first]);
    let version = f.world.register_version(&bob, first.0, next).unwrap();
    assert_eq!(f.royalties((first.0, version)), f.owed(&[("bob", 300)]));
}

#[test]
fn rule_l11_a_royalty_of_nothing_takes_no_entry() {
    let mut f = fixture();
    let free = f.model("free", 0, &[]).unwrap();
    let base = f.model("base", 1, &[free]).unwrap();
    let child = f.model("child", 0, &[free, base]).unwrap();
    assert_eq!(f.royalties(child), f.owed(&[("base", 1)]));
}

#[test]
fn rule_l11_no_ancestor_is_dropped_beyond_eight() {
    let mut f = fixture();
    let base = bases(&mut f, 8);
    let left = f.model("left", 0, &base[..4]).unwrap();
    let right = f.model("right", 0, &base[4..]).unwrap();
    let eight = f.model("eight", 0, &[left, right]).unwrap();
    assert_eq!(f.royalties(eight).len(), 8);
    // The ninth developer is refused, not left out.
    let ninth = f.model("ninth", 1, &[]).unwrap();
    let refused = f.model("nine", 0, &[left, right, ninth]).unwrap_err();
    assert!(refused.is(&ContractError::RoyaltyCount { most: 8, actual: 9 }), "{refused}");
    // One whose developer earns already takes no entry of its own.
    let known = f.model("base0", 1, &[]).unwrap();
    let merged = f.model("merged", 0, &[left, right, known]).unwrap();
    assert_eq!(f.royalties(merged).len(), 8);
}

#[test]
fn rule_l11_all_royalties_fit_into_the_cap() {
    let mut f = fixture();
    // The devnet's cap is 2,000 basis points.
    let (half, rest) = (f.model("half", 1_000, &[]).unwrap(), f.model("rest", 1_001, &[]).unwrap());
    let refused = f.model_with("child", 0, &[half, rest], |v| v.split = split(2_500)).unwrap_err();
    assert!(refused.is(&ContractError::RoyaltiesTooHigh { most: 2_000, total: 2_001 }), "{refused}");
    let other = f.model("rest", 1_000, &[]).unwrap();
    let child = f.model_with("child", 0, &[half, other], |v| v.split = split(2_500)).unwrap();
    assert_eq!(f.royalties(child), f.owed(&[("half", 1_000), ("rest", 1_000)]));
}

#[test]
fn rule_l11_a_lower_cap_binds_new_versions_only() {
    let mut f = fixture();
    let base = f.model("base", 500, &[]).unwrap();
    let child = f.model("child", 0, &[base]).unwrap();
    let mut params = f.world.profile.model_registry.clone();
    params.max_royalty_bps = 499;
    let owner = f.world.owner.clone();
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    assert_eq!(f.royalties(child), f.owed(&[("base", 500)]));
    let refused = f.model("late", 0, &[base]).unwrap_err();
    assert!(refused.is(&ContractError::RoyaltiesTooHigh { most: 499, total: 500 }), "{refused}");
}

#[test]
fn rule_l11_a_version_asks_no_more_for_itself_than_the_cap() {
    let mut f = fixture();
    let refused = f.model("greedy", 2_001, &[]).unwrap_err();
    assert!(refused.is(&ContractError::OwnRoyaltyTooHigh { most: 2_000, actual: 2_001 }), "{refused}");
    assert!(f.model("greedy", 2_000, &[]).is_ok());
}

#[test]
fn attack_a_developers_split_of_nearly_nothing_does_not_short_the_ancestors() {
    let mut f = fixture();
    let base = f.model("base", 300, &[]).unwrap();
    for developer in [0, 1, 299] {
        let refused = f.model_with("child", 0, &[base], |v| v.split = split(developer)).unwrap_err();
        let expected = ContractError::RoyaltiesTooHigh { most: developer, total: 300 };
        assert!(refused.is(&expected), "{refused}");
    }
    let child = f.model_with("child", 0, &[base], |v| v.split = split(300)).unwrap();
    // Nor does a step between: what it owes is handed on whole.
    let refused = f.model_with("grandchild", 0, &[child], |v| v.split = split(299)).unwrap_err();
    assert!(refused.is(&ContractError::RoyaltiesTooHigh { most: 299, total: 300 }), "{refused}");
}

#[test]
fn attack_a_model_handed_over_does_not_move_royalties_already_flattened() {
    let mut f = fixture();
    let base = f.model("base", 300, &[]).unwrap();
    let before = f.model("before", 50, &[base]).unwrap();
    let (from, to) = (f.world.account("base"), f.world.account("buyer"));
    f.world.hand_over(&from, &to, base.0).unwrap();
    let after = f.model("after", 0, &[base]).unwrap();
    let grandchild = f.model("grandchild", 0, &[before]).unwrap();
    assert_eq!(f.royalties(before), f.owed(&[("base", 300)]), "pinned at its registration");
    assert_eq!(f.royalties(after), f.owed(&[("buyer", 300)]), "the developer of record of then");
    assert_eq!(f.royalties(grandchild), f.owed(&[("base", 300), ("before", 50)]), "its parent's list");
}

#[test]
fn rule_l11_a_parent_exists_and_is_not_the_version_itself() {
    let mut f = fixture();
    let base = f.model("base", 300, &[]).unwrap();
    let missing = (base.0, 2);
    let refused = f.model("child", 0, &[missing]).unwrap_err();
    let expected = ContractError::VersionNotFound { model_id: base.0, version: 2 };
    assert!(refused.is(&expected), "{refused}");
    let model_id = f.model_id;
    let refused = f.register(|v| v.parents = parents(ParentKind::Base, &[(model_id, 1)])).unwrap_err();
    assert!(refused.is(&ContractError::VersionNotFound { model_id, version: 1 }), "itself: {refused}");
    let refused = f.model("child", 0, &[(99, 1)]).unwrap_err();
    assert!(refused.is(&ContractError::VersionNotFound { model_id: 99, version: 1 }), "{refused}");
}

#[test]
fn rule_l11_a_parent_that_is_deprecated_still_earns() {
    let mut f = fixture();
    let base = f.model("base", 300, &[]).unwrap();
    let developer = f.world.account("base");
    f.send(&developer, &ExecuteMsg::Deprecate { model_id: base.0, version: base.1 }).unwrap();
    let child = f.model("child", 0, &[base]).unwrap();
    assert_eq!(f.royalties(child), f.owed(&[("base", 300)]));
}

#[test]
fn finding_p4_parents_are_bounded_sorted_and_named_once() {
    let mut f = fixture();
    let base = bases(&mut f, 5);
    let reversed = [base[1], base[0]];
    for on in [&base[..], &[base[0], base[0]], &reversed] {
        let refused = f.model("child", 0, on).unwrap_err();
        assert!(refused.0.starts_with("parents"), "{refused}");
    }
    // Another kind does not make another parent.
    let twice = |kind| Parent { model_id: base[0].0, version: base[0].1, kind };
    let on = vec![twice(ParentKind::Base), twice(ParentKind::Teacher)];
    let refused = f.model_with("child", 0, &[], |v| v.parents = on).unwrap_err();
    assert!(refused.0.starts_with("parents"), "{refused}");
    assert!(f.model("child", 0, &base[..4]).is_ok());
}

#[test]
fn every_kind_of_parent_earns_alike() {
    let mut f = fixture();
    let base = bases(&mut f, 3);
    let kinds = [ParentKind::Base, ParentKind::Adapter, ParentKind::Teacher];
    let on: Vec<Parent> = base.iter().zip(kinds).flat_map(|(base, kind)| parents(kind, &[*base])).collect();
    let child = f.model_with("child", 0, &[], |v| v.parents = on.clone()).unwrap();
    assert_eq!(f.world.model_version(child).unwrap().parents, on);
    assert_eq!(f.royalties(child), f.owed(&[("base0", 100), ("base1", 100), ("base2", 100)]));
}

#[test]
fn royalties_are_told_in_events() {
    let mut f = fixture();
    let base = f.model("base", 300, &[]).unwrap();
    let bob = f.bob.clone();
    let mut version = f.version();
    version.parents = parents(ParentKind::Base, &[base]);
    let msg = ExecuteMsg::RegisterVersion { model_id: f.model_id, version };
    let done = f.send(&bob, &msg).unwrap();
    assert_eq!(attributes(&done, "royalty_pinned", "recipient"), [f.world.account("base").to_string()]);
    assert_eq!(attributes(&done, "royalty_pinned", "bps"), ["300"]);
}

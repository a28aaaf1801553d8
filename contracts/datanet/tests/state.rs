use std::collections::BTreeSet;

/// Namespaces of the shared helpers.
const SHARED: [&str; 3] = ["ownership", "paused", "contract_info"];

#[test]
fn finding_p17_every_namespace_is_used_once() {
    let source = include_str!("../src/state.rs");
    let own: Vec<&str> = source.split("::new(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let keys: usize =
        [": Item<", ": Map<", ": Pack<", ": Packs<"].iter().map(|kind| source.matches(kind).count()).sum();
    assert_eq!(own.len(), keys, "every key has its namespace in state.rs");
    let all: BTreeSet<&str> = own.iter().copied().chain(SHARED).collect();
    assert_eq!(all.len(), own.len() + SHARED.len());
}

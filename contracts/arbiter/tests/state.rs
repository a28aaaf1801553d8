use openledger_testing::conformity;

#[test]
fn finding_p17_every_namespace_is_used_once() {
    conformity::assert_namespaces_are_used_once(include_str!("../src/state.rs"));
}

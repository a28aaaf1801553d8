use cosmwasm_std::HexBinary;
use openledger_datanet::ContractError;
use openledger_types::msg::datanet::{ExecuteMsg, KeyGrantResponse, QueryMsg};

use crate::common::fixture;

#[test]
fn a_key_is_wrapped_for_a_node_and_can_be_replaced() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let ask = QueryMsg::KeyGrant { datanet_id, node_id: 7 };
    assert_eq!(f.ask::<KeyGrantResponse>(&ask).unwrap().wrapped, None);
    for wrapped in [HexBinary::from(vec![1; 200]), HexBinary::from(vec![2; 1_024])] {
        let msg = ExecuteMsg::GrantKey { datanet_id, node_id: 7, wrapped: wrapped.clone() };
        f.send(&alice, &msg).unwrap();
        assert_eq!(f.ask::<KeyGrantResponse>(&ask).unwrap().wrapped, Some(wrapped));
    }
}

#[test]
fn grants_are_bounded_and_belong_to_a_datanet() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    for len in [0, 1_025] {
        let wrapped = HexBinary::from(vec![1; len]);
        let refused = f.send(&alice, &ExecuteMsg::GrantKey { datanet_id, node_id: 1, wrapped }).unwrap_err();
        assert!(refused.0.starts_with("wrapped"));
    }
    let msg = ExecuteMsg::GrantKey { datanet_id: 9, node_id: 1, wrapped: HexBinary::from(vec![1]) };
    let refused = f.send(&alice, &msg).unwrap_err();
    assert!(refused.is(&ContractError::DatanetNotFound { datanet_id: 9 }));
}

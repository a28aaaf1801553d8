use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_testing::{datanet_msg, IDENTITY, RECIPIENT};
use openledger_types::msg::datanet::{ExecuteMsg, Visibility};

use crate::common::fixture;

/// The message with one field changed.
fn with(change: impl FnOnce(&mut Fields)) -> ExecuteMsg {
    let mut fields = Fields {
        name: "texts".into(),
        description: "about".into(),
        visibility: Visibility::Public,
        license: "MIT".into(),
        recipient: RECIPIENT.into(),
        public_identity: Some(IDENTITY.into()),
        min_data_bps: 3_000,
    };
    change(&mut fields);
    ExecuteMsg::CreateDatanet {
        name: fields.name,
        description: fields.description,
        visibility: fields.visibility,
        license: fields.license,
        recipient: fields.recipient,
        public_identity: fields.public_identity,
        min_data_bps: fields.min_data_bps,
        floor_per_token: Uint128::zero(),
        policy: None,
        uses: None,
        training_price: None,
    }
}

struct Fields {
    name: String,
    description: String,
    visibility: Visibility,
    license: String,
    recipient: String,
    public_identity: Option<String>,
    min_data_bps: u16,
}

#[test]
fn a_datanet_belongs_to_its_sender_and_is_numbered_from_one() {
    let mut f = fixture();
    assert_eq!(f.datanet_id, 1);
    let bob = f.bob.clone();
    assert_eq!(f.world.create_datanet(&bob).unwrap(), 2);
    let made = f.world.datanet_of(2).unwrap();
    assert_eq!(made.owner, bob.to_string());
    assert_eq!((made.contributions, made.bytes, made.latest_version, made.leaves), (0, 0, 0, 0));
}

#[test]
fn fields_of_a_wrong_form_are_refused() {
    let mut f = fixture();
    let alice = f.alice.clone();
    let cases: Vec<(&str, ExecuteMsg)> = vec![
        ("name", with(|m| m.name = String::new())),
        ("name", with(|m| m.name = "n".repeat(65))),
        ("name", with(|m| m.name = "a\nb".into())),
        ("description", with(|m| m.description = "d".repeat(1_025))),
        ("license", with(|m| m.license = String::new())),
        ("recipient", with(|m| m.recipient = "age1".into())),
        ("public_identity", with(|m| m.public_identity = None)),
        ("public_identity", with(|m| m.public_identity = Some("AGE-SECRET-KEY-1".into()))),
        ("public_identity", with(|m| m.visibility = Visibility::Sealed)),
        ("public_identity", with(|m| m.visibility = Visibility::Excerpt)),
        ("min_data_bps", with(|m| m.min_data_bps = 10_001)),
    ];
    for (field, msg) in cases {
        let refused = f.send(&alice, &msg).unwrap_err();
        assert!(refused.0.starts_with(field), "{field}: {refused}");
    }
    let sealed = with(|m| {
        m.visibility = Visibility::Sealed;
        m.public_identity = None;
    });
    assert!(f.send(&alice, &sealed).is_ok());
}

#[test]
fn rule_a1_pause_stops_new_datanets() {
    let mut f = fixture();
    let (owner, alice) = (f.world.owner.clone(), f.alice.clone());
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    let refused = f.send(&alice, &datanet_msg("late")).unwrap_err();
    assert!(refused.is(&CommonError::Paused {}));
    f.send(&owner, &ExecuteMsg::SetPaused { paused: false }).unwrap();
    assert!(f.send(&alice, &datanet_msg("late")).is_ok());
}

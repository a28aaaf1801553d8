//! What follows from a judgement, whoever made it.

use cosmwasm_std::testing::{message_info, mock_dependencies, mock_env, MockApi, MockQuerier, MockStorage};
use cosmwasm_std::{
    from_json, to_json_binary, Addr, ContractResult, CosmosMsg, HexBinary, OwnedDeps, SystemResult, WasmMsg,
    WasmQuery,
};
use openledger_types::faults::Conviction;
use openledger_types::formats::{BlobRef, ContributionFacts, Priority, Uses, VersionRef};
use openledger_types::msg::datanet::{
    ConfigResponse, ContributionResponse, ContributionStatus, ContributionsResponse, QueryMsg as DatanetQuery,
};
use openledger_types::msg::node_registry::ExecuteMsg as NodeMsg;
use openledger_types::profile::Profile;

use super::*;
use crate::state::PARAMS;

type Deps = OwnedDeps<MockStorage, MockApi, MockQuerier>;

/// The contribution of datanet 3.
const CITED: u64 = 7;
/// Its place in the version tree.
const POSITION: u64 = 4;
/// When it was withdrawn, in some tests.
const WITHDRAWN: u64 = 1_000;

fn contribution() -> ContributionResponse {
    let zero = HexBinary::from(&[0; 32]);
    ContributionResponse {
        facts: ContributionFacts {
            datanet_id: 3,
            contribution_id: CITED,
            contributor: "somebody".into(),
            priority: Priority { height: 1, tx_index: 0 },
            content_root: zero.clone(),
            content_len: 1,
            match_root: zero.clone(),
            match_len: 1,
            match_hash: zero.clone(),
            blob: BlobRef { root: zero, len: 1 },
            media: "text/plain".into(),
            license: "MIT".into(),
            uses: Uses::ALL,
        },
        title: String::new(),
        status: ContributionStatus::Sealed,
        duplicate_of: None,
        version: Some(1),
        position: Some(POSITION),
        accepted_at: 0,
        cluster: CITED,
        withdrawn_at: None,
        reason: None,
    }
}

/// A referee whose datanet contract holds this contribution.
fn referee(found: ContributionResponse) -> Deps {
    let mut deps = mock_dependencies();
    let contracts = Contracts {
        datanet: Addr::unchecked("datanet"),
        node_registry: Addr::unchecked("nodes"),
        escrow: Addr::unchecked("escrow"),
    };
    CONTRACTS.save(&mut deps.storage, &contracts).unwrap();
    let profile = Profile::protocol("uopen");
    PARAMS.save(&mut deps.storage, &profile.referee).unwrap();
    let params = profile.datanet;
    deps.querier.update_wasm(move |query| {
        let WasmQuery::Smart { contract_addr, msg } = query else { panic!("smart queries only") };
        assert_eq!(contract_addr, "datanet");
        let answer = match from_json(msg).unwrap() {
            DatanetQuery::Config {} => {
                to_json_binary(&ConfigResponse { params: params.clone(), paused: false })
            }
            DatanetQuery::Contributions { datanet_id, start_after, .. } => {
                let here = datanet_id == found.facts.datanet_id
                    && start_after.is_none_or(|id| id < found.facts.contribution_id);
                let contributions = if here { vec![found.clone()] } else { vec![] };
                to_json_binary(&ContributionsResponse { contributions })
            }
            _ => panic!("not asked"),
        };
        SystemResult::Ok(ContractResult::Ok(answer.unwrap()))
    });
    deps
}

fn judgement(citation: Option<Citation>) -> Judgement {
    let conviction = Conviction {
        node_id: 5,
        denom: "uopen".into(),
        root: Some((2, HexBinary::from(&[2; 32]))),
        session: None,
        fault: "false_span".into(),
    };
    Judgement { node_id: 5, conviction, guilt: [9; 32], citation }
}

fn cited(datanet_id: u64, size: u64, height: u64) -> Option<Citation> {
    let version = VersionRef { datanet_id, version: 1, root: HexBinary::from(&[1; 32]), size };
    Some(Citation { contribution_id: CITED, datanets: vec![version], height })
}

fn file(deps: &mut Deps, finder: &str, judgement: Judgement) -> Result<Response, ContractError> {
    convict(deps.as_mut(), mock_env(), message_info(&Addr::unchecked(finder), &[]), judgement)
}

fn told<T: cosmwasm_schema::serde::de::DeserializeOwned>(response: &Response, number: usize) -> (String, T) {
    match &response.messages[number].msg {
        CosmosMsg::Wasm(WasmMsg::Execute { contract_addr, msg, funds }) => {
            assert!(funds.is_empty());
            (contract_addr.clone(), from_json(msg).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_f1_a_proof_settles_in_its_transaction() {
    let mut deps = referee(contribution());
    let response = file(&mut deps, "finder", judgement(None)).unwrap();
    // The cut counts the fault in the record of the node's work.
    assert_eq!(response.messages.len(), 2);
    let (to, convict) = told::<EscrowMsg>(&response, 0);
    assert_eq!(
        (to.as_str(), convict),
        ("escrow", EscrowMsg::Convict { conviction: judgement(None).conviction })
    );
    let (to, slash) = told::<NodeMsg>(&response, 1);
    assert_eq!(to, "nodes");
    assert_eq!(
        slash,
        NodeMsg::Slash { node_id: 5, bps: 2_000, finder: Some("finder".into()), reason: "false_span".into() }
    );
}

#[test]
fn rule_f1_attack_a_slash_race_of_two_finders_is_won_once() {
    let mut deps = referee(contribution());
    file(&mut deps, "first", judgement(None)).unwrap();
    let height = mock_env().block.height;
    let second = file(&mut deps, "second", judgement(None)).unwrap_err();
    assert!(matches!(second, ContractError::AlreadyPunished { height: at } if at == height));
    // Another form of the proof, or another name of the fault, is the same guilt.
    let mut other = judgement(None);
    other.conviction.fault = "arithmetic".into();
    assert!(matches!(file(&mut deps, "second", other), Err(ContractError::AlreadyPunished { .. })));
    let mut next = judgement(None);
    next.guilt = [8; 32];
    file(&mut deps, "second", next).unwrap();
}

#[test]
fn rule_f1_a_citation_that_is_in_order_convicts_nobody() {
    let mut deps = referee(contribution());
    let refused = file(&mut deps, "finder", judgement(cited(3, POSITION + 1, 99))).unwrap_err();
    assert!(matches!(refused, ContractError::CitationInOrder { contribution_id: CITED, height: 99 }));
    assert!(file(&mut deps, "finder", judgement(cited(3, POSITION, 99))).is_ok(), "refusal punishes nothing");
}

#[test]
fn rule_d4_a_citation_is_a_fault_after_withdrawal_and_grace_only() {
    let grace = Profile::protocol("uopen").datanet.withdrawal_grace;
    let withdrawn = ContributionResponse { withdrawn_at: Some(WITHDRAWN), ..contribution() };
    let mut deps = referee(withdrawn);
    for height in [1, WITHDRAWN, WITHDRAWN + grace] {
        let refused = file(&mut deps, "finder", judgement(cited(3, 10, height))).unwrap_err();
        assert!(matches!(refused, ContractError::CitationInOrder { .. }), "{height}");
    }
    file(&mut deps, "finder", judgement(cited(3, 10, WITHDRAWN + grace + 1))).unwrap();
}

#[test]
fn rule_f1_citing_what_is_in_no_version_of_the_receipt_is_a_fault() {
    for (datanet_id, size) in [(3, POSITION), (3, 0), (4, 100)] {
        let mut deps = referee(contribution());
        file(&mut deps, "finder", judgement(cited(datanet_id, size, 99))).unwrap();
    }
    let mut deps = referee(ContributionResponse { position: None, ..contribution() });
    file(&mut deps, "finder", judgement(cited(3, 100, 99))).unwrap();
    let nowhere = Citation { contribution_id: 999, ..cited(3, 100, 99).unwrap() };
    let mut deps = referee(contribution());
    file(&mut deps, "finder", judgement(Some(nowhere))).unwrap();
}

#[test]
fn rule_f1_a_use_that_the_licence_forbids_is_a_fault() {
    for uses in [Uses { answer: false, ..Uses::ALL }, Uses { commercial: false, ..Uses::ALL }] {
        let mut found = contribution();
        found.facts.uses = uses;
        let mut deps = referee(found);
        file(&mut deps, "finder", judgement(cited(3, 10, 99))).unwrap();
    }
    let mut found = contribution();
    found.facts.uses = Uses { train: false, ..Uses::ALL };
    let refused = file(&mut referee(found), "finder", judgement(cited(3, 10, 99))).unwrap_err();
    assert!(matches!(refused, ContractError::CitationInOrder { .. }), "answers may be paid for");
}

#[test]
fn the_versions_of_a_citation_are_bounded() {
    let mut long = cited(3, 10, 99).unwrap();
    long.datanets = vec![long.datanets[0].clone(); MAX_CITED + 1];
    let refused = file(&mut referee(contribution()), "finder", judgement(Some(long))).unwrap_err();
    assert!(matches!(refused, ContractError::Common(CommonError::BadField { .. })));
}

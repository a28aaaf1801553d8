//! A validator that is jailed, which the chain still answers for by its address: it has no weight and no vote.

use anyhow::{ensure, Context as _, Result};
use cosmwasm_std::HexBinary;
use openledger::context::DENOM;
use openledger::network::job;
use openledger_client::proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use openledger_client::proto::cosmos::slashing::v1beta1::MsgUnjail;
use openledger_client::proto::cosmos::staking::v1beta1::{
    Description, MsgDelegate, MsgEditValidator, MsgUndelegate, QueryValidatorRequest, QueryValidatorResponse,
    Validator,
};
use openledger_client::proto::prost::{Message, Name};
use openledger_client::{Any, Chain, Signer};
use openledger_types::msg::referee::ExecuteMsg;

use super::lab::{force, gain, say, Lab, PATIENCE};

/// What the SDK takes for "as it is".
const UNCHANGED: &str = "[do-not-modify]";

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

async fn validator(chain: &Chain, address: &str) -> Result<Validator> {
    let request = QueryValidatorRequest { validator_addr: address.into() };
    let found: QueryValidatorResponse =
        chain.query("/cosmos.staking.v1beta1.Query/Validator", &request).await?;
    found.validator.context("the chain does not answer for the validator")
}

/// Undelegates one unit below the least self-delegation that the validator promised: the chain jails it at once, and
/// nearly all of its stake stays.
async fn jail(operator: &Signer, address: &str) -> Result<()> {
    let found = validator(operator.chain(), address).await?;
    let mut messages = Vec::new();
    if found.min_self_delegation != found.tokens {
        let as_it_is = || UNCHANGED.to_string();
        messages.push(any(&MsgEditValidator {
            description: Some(Description {
                moniker: as_it_is(),
                identity: as_it_is(),
                website: as_it_is(),
                security_contact: as_it_is(),
                details: as_it_is(),
            }),
            validator_address: address.into(),
            min_self_delegation: found.tokens,
            ..MsgEditValidator::default()
        }));
    }
    messages.push(any(&MsgUndelegate {
        delegator_address: operator.address().into(),
        validator_address: address.into(),
        amount: Some(ProtoCoin { denom: DENOM.into(), amount: "1".into() }),
    }));
    operator.broadcast(messages, "").await?;
    Ok(())
}

async fn unjail(operator: &Signer, address: &str) -> Result<()> {
    let delegate = MsgDelegate {
        delegator_address: operator.address().into(),
        validator_address: address.into(),
        amount: Some(ProtoCoin { denom: DENOM.into(), amount: "1".into() }),
    };
    let unjail = MsgUnjail { validator_addr: address.into() };
    operator.broadcast(vec![any(&delegate), any(&unjail)], "").await?;
    Ok(())
}

/// It attests a root, commits a vote and a seed: each is refused, and the others' weight decides without it.
pub async fn node_attack_20_a_jailed_validator_that_is_still_answered_has_no_vote(lab: &Lab) -> Result<()> {
    let reader = lab.net.reader(0).await?;
    let sly = lab.sly_auditor()?;
    let operator = lab.net.signer(0, &sly.key).await?;
    let prefix = format!("{}valoper", reader.chain().config().prefix);
    let address = operator.key().address(&prefix)?;
    let weight_of = async || -> Result<u128> {
        let auditors = reader.auditors().await?;
        Ok(auditors.iter().find(|a| a.node_id == sly.node_id).map_or(0, |a| a.weight.u128()))
    };
    // It slept while others attested: it may have lost a part of its bond, and its weight.
    lab.restore(sly).await?;
    let resume = ExecuteMsg::Resume { auditor: sly.node_id };
    if let Err(said) = operator.execute(&reader.contracts().referee, &resume, &[]).await {
        println!("    20 the auditor need not resume: {said}");
    }
    ensure!(weight_of().await? > 0, "the auditor has no weight before");
    let everyone = reader.eligible_weight(lab.net.nodes[0].node_id).await?;

    jail(&operator, &address).await?;
    let height = reader.chain().latest_height().await?;
    reader.chain().wait_for_height(height + 2, PATIENCE).await?;
    let found = validator(reader.chain(), &address).await?;
    let stake: u128 = found.tokens.parse()?;
    ensure!(found.jailed, "it is not jailed");
    ensure!(stake > reader.node_config().await?.params.min_bond.u128(), "its stake is gone: {stake}");

    // An honest node's root, and a case about it that its payer opens.
    let (job, _, bundles) = lab.job("cheats-user-8", lab.net.nodes[0].node_id, &["impl<T> "]).await?;
    let root = lab.root(&reader, job.node_id).await?;
    let (case_id, _) = lab.accuse(&job, &reader, &bundles[0]).await?;
    let auditor = sly.node_id;
    let period =
        reader.chain().latest_height().await? / reader.referee_config().await?.params.seed_blocks + 1;
    let commitment = HexBinary::from(&[20u8; 32]);
    let trials = [
        (
            "attests",
            ExecuteMsg::Attest {
                auditor,
                node_id: job.node_id,
                denom: DENOM.into(),
                epoch: root.commit.epoch,
            },
        ),
        ("votes", ExecuteMsg::CommitVote { case_id, auditor, commitment: commitment.clone() }),
        ("commits a seed", ExecuteMsg::CommitSeed { auditor, period, commitment }),
    ];
    let before = lab.wealth(&reader, operator.address()).await?;
    for (name, msg) in &trials {
        let said = force(&operator, &reader.contracts().referee, msg, &[]).await?;
        println!("    20 a jailed validator {name}: {}", said.as_ref().err().map_or("TAKEN", String::as_str));
        ensure!(said.is_err(), "a jailed validator {name}");
    }
    let left = reader.eligible_weight(job.node_id).await?;
    ensure!(weight_of().await? == 0 && left < everyone, "{left} of {everyone} may attest");
    let profit = gain(before, lab.wealth(&reader, operator.address()).await?)?;
    println!("a jailed validator of stake {stake}: {left} of {everyone} of the weight are left");
    say(20, "a jailed validator attests, votes, commits a seed", trials.len(), trials.len(), profit);
    ensure!(profit < 0, "it earned {profit}");
    unjail(&operator, &address).await?;
    job::wait_final(&reader, &job.user, job.node_id, PATIENCE).await
}

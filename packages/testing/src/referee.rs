//! The referee in few words: attestations, demands, cases.

use cosmwasm_std::{Addr, HexBinary};
use cw_multi_test::AppResponse;
use openledger_merkle::{chunk_path, Hash, BLOB_CHUNK};
use openledger_types::formats::{seed_commitment, vote_commitment};
use openledger_types::msg::referee::{
    AttestationResponse, BlobKind, CaseResponse, DemandResponse, ExecuteMsg, QueryMsg, Subject,
};

use crate::datanets::number;
use crate::world::attribute;
use crate::{Refused, Result, World};

/// A vote of an auditor, as it commits and reveals it.
#[derive(Clone, Copy, Debug)]
pub struct Ballot {
    /// Case.
    pub case_id: u64,
    /// The auditor's node.
    pub auditor: u64,
    /// The vote.
    pub guilty: bool,
    /// Its salt.
    pub salt: Hash,
}

impl World {
    /// Sends the referee a message without coins.
    pub fn tell_referee(&mut self, sender: &Addr, msg: &ExecuteMsg) -> Result<AppResponse> {
        let referee = self.referee.clone();
        self.execute(sender, &referee, msg, &[])
    }

    /// Attests a root of a node in this world's denom for an auditor.
    pub fn attest(&mut self, sender: &Addr, auditor: u64, node_id: u64, epoch: u64) -> Result<AppResponse> {
        let denom = self.denom.clone();
        self.tell_referee(sender, &ExecuteMsg::Attest { auditor, node_id, denom, epoch })
    }

    /// Reports auditors that did not attest a root, or begins its window when none are named.
    pub fn report_misses(
        &mut self,
        sender: &Addr,
        node_id: u64,
        epoch: u64,
        auditors: &[u64],
    ) -> Result<AppResponse> {
        let (denom, auditors) = (self.denom.clone(), auditors.to_vec());
        self.tell_referee(sender, &ExecuteMsg::ReportMisses { node_id, denom, epoch, auditors })
    }

    /// Attestations of a root.
    pub fn attestation(&self, node_id: u64, epoch: u64) -> Result<AttestationResponse> {
        let denom = self.denom.clone();
        self.query(&self.referee, &QueryMsg::Attestation { node_id, denom, epoch })
    }

    /// Demands a chunk of a root in this world's denom, with the bond that it costs.
    pub fn demand_chunk(
        &mut self,
        sender: &Addr,
        node_id: u64,
        epoch: u64,
        blob: BlobKind,
        index: u64,
    ) -> Result<u64> {
        let (referee, denom) = (self.referee.clone(), self.denom.clone());
        let funds = self.coins(self.profile.referee.demand_bond.u128());
        let msg = ExecuteMsg::DemandChunk { node_id, denom, epoch, blob, index };
        let done = self.execute(sender, &referee, &msg, &funds)?;
        number(attribute(&done, "chunk_demanded", "demand_id"))
    }

    /// Answers a demand out of the whole blob.
    pub fn answer_demand(&mut self, sender: &Addr, demand_id: u64, blob: &[u8]) -> Result<AppResponse> {
        let DemandResponse { index, .. } = self.demand(demand_id)?;
        let missing = || Refused(format!("the blob has no chunk {index}"));
        let place = usize::try_from(index).map_err(|_| missing())?;
        let chunk = blob.chunks(BLOB_CHUNK).nth(place).ok_or_else(missing)?.to_vec().into();
        let path = chunk_path(blob, BLOB_CHUNK, index).ok_or_else(missing)?;
        let path = path.into();
        self.tell_referee(sender, &ExecuteMsg::AnswerDemand { demand_id, chunk, path })
    }

    /// Ends a demand that was not answered.
    pub fn expire_demand(&mut self, sender: &Addr, demand_id: u64) -> Result<AppResponse> {
        self.tell_referee(sender, &ExecuteMsg::ExpireDemand { demand_id })
    }

    /// A demand.
    pub fn demand(&self, demand_id: u64) -> Result<DemandResponse> {
        self.query(&self.referee, &QueryMsg::Demand { demand_id })
    }

    /// Opens a case with this bond.
    pub fn open_case(&mut self, sender: &Addr, subject: Subject, bond: u128) -> Result<u64> {
        let (referee, funds) = (self.referee.clone(), self.coins(bond));
        let msg = ExecuteMsg::OpenCase { subject, reason: "https://evidence.example".into() };
        let done = self.execute(sender, &referee, &msg, &funds)?;
        number(attribute(&done, "case_opened", "case_id"))
    }

    /// A case.
    pub fn case(&self, case_id: u64) -> Result<CaseResponse> {
        self.query(&self.referee, &QueryMsg::Case { case_id })
    }

    /// Commits a vote.
    pub fn commit_vote(&mut self, sender: &Addr, ballot: Ballot) -> Result<AppResponse> {
        let Ballot { case_id, auditor, guilty, salt } = ballot;
        let (chain_id, referee) = (self.chain_id(), self.referee.clone());
        let hash = vote_commitment(&chain_id, referee.as_str(), case_id, auditor, guilty, &salt);
        let commitment = HexBinary::from(&hash);
        self.tell_referee(sender, &ExecuteMsg::CommitVote { case_id, auditor, commitment })
    }

    /// Reveals a vote.
    pub fn reveal_vote(&mut self, sender: &Addr, ballot: Ballot) -> Result<AppResponse> {
        let Ballot { case_id, auditor, guilty, salt } = ballot;
        let salt = HexBinary::from(&salt);
        self.tell_referee(sender, &ExecuteMsg::RevealVote { case_id, auditor, guilty, salt })
    }

    /// Decides a case: these auditors vote the same, everything is revealed, the case is ended.
    /// Each is (who sends, the auditor's node).
    pub fn decide_case(
        &mut self,
        case_id: u64,
        auditors: &[(Addr, u64)],
        guilty: bool,
    ) -> Result<CaseResponse> {
        let CaseResponse { commit_until, reveal_until, .. } = self.case(case_id)?;
        let ballot = |auditor| Ballot { case_id, auditor, guilty, salt: [7; 32] };
        for (sender, auditor) in auditors {
            self.commit_vote(sender, ballot(*auditor))?;
        }
        self.advance_to(commit_until + 1);
        for (sender, auditor) in auditors {
            self.reveal_vote(sender, ballot(*auditor))?;
        }
        self.advance_to(reveal_until + 1);
        let anyone = self.owner.clone();
        self.tell_referee(&anyone, &ExecuteMsg::Conclude { case_id })?;
        self.case(case_id)
    }

    /// Commits an auditor's seed for the next period and gives the period's number.
    pub fn commit_seed(&mut self, sender: &Addr, auditor: u64, seed: Hash) -> Result<u64> {
        let period = self.height() / self.profile.referee.seed_blocks + 1;
        let (chain_id, referee) = (self.chain_id(), self.referee.clone());
        let hash = seed_commitment(&chain_id, referee.as_str(), auditor, period, &seed);
        let commitment = HexBinary::from(&hash);
        self.tell_referee(sender, &ExecuteMsg::CommitSeed { auditor, period, commitment })?;
        Ok(period)
    }
}

//! Headers, verified by the rules of the client that will judge them (ICS-7).
//!
//! The starting point is what the client on the other chain holds: the time and the hash of the next
//! validators at a height it trusts. A header that passes here passes there, and the root in it is good
//! for checking proofs before they are sent.

use std::collections::VecDeque;

use ibc_proto::ibc::lightclients::tendermint::v1::{
    ClientState as TmClientState, ConsensusState as TmConsensusState, Header as TmHeader,
};
use openledger_client::Chain;
use tendermint::block::signed_header::SignedHeader;
use tendermint::validator::Set;
use tendermint::{account, Time};
use tendermint_light_client_verifier::options::Options;
use tendermint_light_client_verifier::types::{TrustThreshold, TrustedBlockState, UntrustedBlockState};
use tendermint_light_client_verifier::{ProdVerifier, Verdict, Verifier};
use tendermint_rpc::{Client, Paging};

use super::ChainHandle;
use crate::error::{Error, Result};
use crate::packet::IbcHeight;

/// No chain has more validators; bounds what an endpoint can make us hold.
const MAX_VALIDATORS: usize = 10_000;

/// A header that the client on the other chain will accept.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its height.
    pub height: IbcHeight,
    /// Root of the state after the block before it.
    pub app_hash: Vec<u8>,
    /// Time in nanoseconds since 1970.
    pub time_ns: u64,
    /// As `MsgUpdateClient` takes it.
    pub header: TmHeader,
}

/// What a client holds: its settings and its state at its newest height.
#[derive(Clone, Debug)]
pub struct ClientData {
    /// Settings.
    pub state: TmClientState,
    /// Newest height.
    pub latest: IbcHeight,
    /// State at that height.
    pub consensus: TmConsensusState,
}

impl ChainHandle {
    /// The header at `height` of this chain with its commit, not verified.
    pub async fn signed_header(&self, height: u64) -> Result<SignedHeader> {
        if let Some(known) = self.seen().header(height) {
            return Ok(known);
        }
        let header = self
            .endpoints()
            .call(|chain: Chain| async move {
                let at = block_height(height)?;
                let answer = chain.http().commit(at).await.map_err(|e| chain.name_error(e))?;
                Ok(answer.signed_header)
            })
            .await?;
        if header.header.height.value() != height || header.header.chain_id.as_str() != self.id() {
            return Err(self.bad_header(height, "it belongs to another height or chain"));
        }
        self.seen().keep_header(header.clone());
        Ok(header)
    }

    /// The validators at `height`; not asked for when those of this hash were seen before.
    async fn validators_of(
        &self,
        height: u64,
        hash: tendermint::Hash,
        proposer: Option<account::Id>,
    ) -> Result<Set> {
        let known = self.seen().validators(hash);
        let proposer_of = |set: &Set| proposer.or_else(|| set.validators().first().map(|v| v.address));
        if let Some((set, proposer)) = known.and_then(|set| Some((set.clone(), proposer_of(&set)?))) {
            if let Ok(set) = Set::with_proposer(set.validators().clone(), proposer) {
                return Ok(set);
            }
        }
        let set = self.validators(height, proposer).await?;
        self.seen().keep_validators(set.clone());
        Ok(set)
    }

    /// The validators at `height`, not verified.
    pub async fn validators(&self, height: u64, proposer: Option<account::Id>) -> Result<Set> {
        let list = self
            .endpoints()
            .call(|chain: Chain| async move {
                let at = block_height(height)?;
                let answer = chain.http().validators(at, Paging::All).await;
                Ok(answer.map_err(|e| chain.name_error(e))?.validators)
            })
            .await?;
        let power = list.iter().try_fold(0u64, |sum, v| sum.checked_add(v.power.value()));
        if list.len() > MAX_VALIDATORS || power.is_none_or(|p| p > Set::MAX_TOTAL_VOTING_POWER) {
            return Err(self.bad_header(height, "its validators are too many or too strong"));
        }
        // ibc-go wants a proposer that is one of the set; which one does not enter the hash.
        let proposer = proposer.or_else(|| list.first().map(|v| v.address));
        let proposer = proposer.ok_or_else(|| self.bad_header(height, "it has no validators"))?;
        Set::with_proposer(list, proposer).map_err(|e| self.bad_header(height, e))
    }

    /// The header at `height`, verified from what `client`, on the other chain, holds, at the time
    /// `now_ns`. Errors: `Header`.
    pub async fn verified_header(&self, client: &ClientData, height: u64, now_ns: u64) -> Result<Verified> {
        let trusted_height = client.latest.height;
        let bad = |reason: &str| self.bad_header(height, reason);
        if client.state.chain_id != self.id() {
            return Err(bad("the client follows another chain"));
        }
        let signed = self.signed_header(height).await?;
        let timestamp = client.consensus.timestamp.ok_or_else(|| bad("the client's state has no time"))?;
        let trusted_time = time_of(timestamp.seconds, timestamp.nanos).ok_or_else(|| bad("bad time"))?;
        let hash = tendermint::Hash::try_from(client.consensus.next_validators_hash.clone())
            .map_err(|e| self.bad_header(height, e))?;
        let proposer = Some(signed.header.proposer_address);
        let set = self.validators_of(height, signed.header.validators_hash, proposer).await?;
        let trusted_set = self.validators_of(trusted_height.saturating_add(1), hash, None).await?;
        if trusted_set.hash() != hash {
            return Err(bad("the validators at the trusted height are not those that the client holds"));
        }
        let options = options(&client.state).ok_or_else(|| bad("the client's settings cannot be read"))?;
        let nanos = i64::try_from(now_ns % 1_000_000_000).unwrap_or(0);
        let now = time_of(i64::try_from(now_ns / 1_000_000_000).unwrap_or(i64::MAX), nanos as i32)
            .ok_or_else(|| bad("bad time"))?;
        let chain_id = signed.header.chain_id.clone();
        let verdict = ProdVerifier::default().verify_update_header(
            UntrustedBlockState { signed_header: &signed, validators: &set, next_validators: None },
            TrustedBlockState {
                chain_id: &chain_id,
                header_time: trusted_time,
                height: block_height(trusted_height).map_err(|e| self.bad_header(height, e))?,
                next_validators: &trusted_set,
                next_validators_hash: hash,
            },
            &options,
            now,
        );
        match verdict {
            Verdict::Success => {}
            Verdict::NotEnoughTrust(tally) => {
                return Err(self.bad_header(height, format!("not enough trust: {tally}")))
            }
            Verdict::Invalid(why) => return Err(self.bad_header(height, format!("{why:?}"))),
        }
        Ok(Verified {
            height: self.height(height),
            app_hash: signed.header.app_hash.as_bytes().to_vec(),
            time_ns: nanoseconds(signed.header.time),
            header: TmHeader {
                signed_header: Some(signed.into()),
                validator_set: Some(set.into()),
                trusted_height: Some(height_to_proto(client.latest)),
                trusted_validators: Some(trusted_set.into()),
            },
        })
    }

    /// The next question goes to another endpoint.
    pub(crate) fn bad_header(&self, height: u64, reason: impl ToString) -> Error {
        self.endpoints().distrust();
        self.seen().forget_headers();
        Error::Header { chain_id: self.id().into(), height, reason: reason.to_string() }
    }
}

/// Headers and validators that were asked for lately. A header counts as unverified each time it is used;
/// validators are found by their hash, which was computed here.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    headers: VecDeque<SignedHeader>,
    sets: VecDeque<(tendermint::Hash, Set)>,
}

impl Seen {
    const HEADERS: usize = 8;
    const SETS: usize = 4;

    fn header(&self, height: u64) -> Option<SignedHeader> {
        self.headers.iter().find(|h| h.header.height.value() == height).cloned()
    }

    fn keep_header(&mut self, header: SignedHeader) {
        self.headers.push_back(header);
        while self.headers.len() > Self::HEADERS {
            self.headers.pop_front();
        }
    }

    /// After an answer that was wrong, what the same endpoint has said before is asked for anew.
    pub(super) fn forget_headers(&mut self) {
        self.headers.clear();
    }

    fn validators(&self, hash: tendermint::Hash) -> Option<Set> {
        self.sets.iter().find(|(known, _)| *known == hash).map(|(_, set)| set.clone())
    }

    fn keep_validators(&mut self, set: Set) {
        self.sets.push_back((set.hash(), set));
        while self.sets.len() > Self::SETS {
            self.sets.pop_front();
        }
    }
}

fn options(state: &TmClientState) -> Option<Options> {
    let level = state.trust_level?;
    let duration = |d: Option<tendermint_proto::google::protobuf::Duration>| {
        let d = d?;
        Some(std::time::Duration::new(u64::try_from(d.seconds).ok()?, u32::try_from(d.nanos).ok()?))
    };
    Some(Options {
        trust_threshold: TrustThreshold::new(level.numerator, level.denominator).ok()?,
        trusting_period: duration(state.trusting_period)?,
        clock_drift: duration(state.max_clock_drift)?,
    })
}

/// A header's time in nanoseconds since 1970; 0 for times before.
pub(crate) fn nanoseconds(time: Time) -> u64 {
    u64::try_from(time.unix_timestamp_nanos()).unwrap_or(0)
}

/// A time out of a message, in nanoseconds since 1970; 0 for none and for times before.
pub(crate) fn nanoseconds_of(time: Option<tendermint_proto::google::protobuf::Timestamp>) -> u64 {
    let time = time.unwrap_or_default();
    let nanos = u64::try_from(time.nanos).unwrap_or(0);
    u64::try_from(time.seconds).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanos)
}

fn time_of(seconds: i64, nanos: i32) -> Option<Time> {
    Time::from_unix_timestamp(seconds, u32::try_from(nanos).ok()?).ok()
}

fn block_height(height: u64) -> openledger_client::Result<tendermint::block::Height> {
    tendermint::block::Height::try_from(height)
        .map_err(|e| openledger_client::Error::Input { what: "height", reason: e.to_string() })
}

/// A height as messages carry it.
pub fn height_to_proto(height: IbcHeight) -> ibc_proto::ibc::core::client::v1::Height {
    ibc_proto::ibc::core::client::v1::Height {
        revision_number: height.revision,
        revision_height: height.height,
    }
}

/// A height out of a message.
pub fn height_from_proto(height: ibc_proto::ibc::core::client::v1::Height) -> IbcHeight {
    IbcHeight { revision: height.revision_number, height: height.revision_height }
}

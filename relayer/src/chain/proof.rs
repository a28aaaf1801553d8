//! States with their proofs, checked before anything is made of them (ICS-23).
//!
//! A Cosmos chain proves a state by two steps: the value in the IAVL tree of the module `ibc`, and that
//! tree's root among the roots of all modules, whose own root is the next block's `app_hash`.

use ibc_proto::ibc::core::commitment::v1::MerkleProof;
use ibc_proto::ics23::commitment_proof::Proof;
use ibc_proto::ics23::CommitmentProof;
use ics23::{
    calculate_existence_root, iavl_spec, tendermint_spec, verify_membership, verify_non_membership,
    HostFunctionsManager,
};
use openledger_client::proto::prost::Message;
use openledger_client::Chain;
use tendermint_rpc::Client;

use super::ChainHandle;
use crate::error::{Error, Result};

/// Name of IBC's store.
const STORE: &str = "ibc";

/// A state that was checked against a verified header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The value; empty when the proof shows that there is none.
    pub value: Vec<u8>,
    /// Encoded `ibc.core.commitment.v1.MerkleProof`.
    pub proof: Vec<u8>,
}

impl ChainHandle {
    /// Reads `key` of the store `ibc` in the state after block `height` and checks it against
    /// `app_hash`, the root in the verified header of the next block. Errors: `Proof`.
    pub async fn proved(&self, key: &str, height: u64, app_hash: &[u8]) -> Result<Proved> {
        let answer = self
            .endpoints()
            .call(|chain: Chain| {
                let key = key.as_bytes().to_vec();
                async move {
                    let height = tendermint::block::Height::try_from(height).map_err(|e| {
                        openledger_client::Error::Input { what: "height", reason: e.to_string() }
                    })?;
                    let path = Some(format!("store/{STORE}/key"));
                    let call = chain.http().abci_query(path, key, Some(height), true);
                    let answer = call.await.map_err(|e| chain.name_error(e))?;
                    if answer.code.is_err() {
                        // The node has pruned the state, or has not committed it yet.
                        return Err(openledger_client::Error::Rpc(answer.log));
                    }
                    Ok(answer)
                }
            })
            .await?;
        let ops = answer.proof.map(|p| p.ops).unwrap_or_default();
        let proofs = ops.into_iter().map(|op| CommitmentProof::decode(op.data.as_slice())).collect();
        let proofs: Vec<CommitmentProof> = match proofs {
            Ok(proofs) => proofs,
            Err(e) => return Err(self.bad_proof(key, format!("cannot be decoded: {e}"))),
        };
        check(&proofs, key.as_bytes(), &answer.value, app_hash).map_err(|why| self.bad_proof(key, why))?;
        Ok(Proved { value: answer.value, proof: MerkleProof { proofs }.encode_to_vec() })
    }

    fn bad_proof(&self, key: &str, reason: impl Into<String>) -> Error {
        Error::Proof { chain_id: self.id().into(), key: key.into(), reason: reason.into() }
    }
}

/// Checks both steps; an empty value asks for a proof of absence.
pub fn check(
    proofs: &[CommitmentProof],
    key: &[u8],
    value: &[u8],
    app_hash: &[u8],
) -> std::result::Result<(), &'static str> {
    let [leaf, store] = proofs else { return Err("has not two steps") };
    let existing = match &leaf.proof {
        Some(Proof::Exist(proof)) => Some(proof),
        Some(Proof::Nonexist(proof)) => proof.left.as_ref().or(proof.right.as_ref()),
        _ => None,
    };
    let existing = existing.ok_or("is of a kind that is not known")?;
    let root = calculate_existence_root::<HostFunctionsManager>(existing)
        .map_err(|_| "has a first step without a root")?;
    let first = if value.is_empty() {
        verify_non_membership::<HostFunctionsManager>(leaf, &iavl_spec(), &root, key)
    } else {
        verify_membership::<HostFunctionsManager>(leaf, &iavl_spec(), &root, key, value)
    };
    if !first {
        return Err("does not prove the value");
    }
    let app_hash = app_hash.to_vec();
    let spec = tendermint_spec();
    if !verify_membership::<HostFunctionsManager>(store, &spec, &app_hash, STORE.as_bytes(), &root) {
        return Err("does not lead to the root in the header");
    }
    Ok(())
}

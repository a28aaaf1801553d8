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

    /// The next question goes to another endpoint.
    pub(crate) fn bad_proof(&self, key: &str, reason: impl Into<String>) -> Error {
        self.endpoints().distrust();
        self.seen().forget_headers();
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever an endpoint sends as a proof, it proves nothing and breaks nothing.
        #[test]
        fn hostile_proofs_prove_nothing(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
            value in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let proofs: Vec<CommitmentProof> =
                parts.iter().map(|p| CommitmentProof::decode(p.as_slice()).unwrap_or_default()).collect();
            prop_assert!(check(&proofs, b"acks/ports/transfer", &value, &[7; 32]).is_err());
        }

        /// A proof with any bit of its value, key or root changed fails. The tree has one leaf and the
        /// store one module, so that the proof can be made here.
        #[test]
        fn a_changed_bit_is_found(bit in 0usize..8, place in 0usize..3) {
            let (key, value) = (b"commitments/1".to_vec(), vec![5u8; 32]);
            let leaf = |spec: ics23::ProofSpec, prefix: Vec<u8>, key: &[u8], value: &[u8]| {
                let op = spec.leaf_spec.map(|l| ics23::LeafOp { prefix, ..l });
                ics23::ExistenceProof { key: key.to_vec(), value: value.to_vec(), leaf: op, path: vec![] }
            };
            let first = leaf(iavl_spec(), vec![0, 2, 2], &key, &value);
            let root = calculate_existence_root::<HostFunctionsManager>(&first).unwrap();
            let second = leaf(tendermint_spec(), vec![0], STORE.as_bytes(), &root);
            let app_hash = calculate_existence_root::<HostFunctionsManager>(&second).unwrap();
            let proofs: Vec<CommitmentProof> =
                [first, second].map(|p| CommitmentProof { proof: Some(Proof::Exist(p)) }).to_vec();
            prop_assert_eq!(check(&proofs, &key, &value, &app_hash), Ok(()));
            let (mut key, mut value, mut root) = (key, value, app_hash);
            match place {
                0 => key[0] ^= 1 << bit,
                1 => value[0] ^= 1 << bit,
                _ => root[0] ^= 1 << bit,
            }
            prop_assert!(check(&proofs, &key, &value, &root).is_err());
            prop_assert!(check(&proofs, &key, &[], &root).is_err());
        }
    }
}

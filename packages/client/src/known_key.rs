//! Many signatures of one key, checked several times as fast as one by one (docs/adr/0032).
//!
//! ECDSA holds a signature (r, s) of a digest z against the abscissa of `z/s·G + r/s·Q`. An epoch's receipts have one
//! `Q`, so both points are fixed: tables of their multiples make each product 32 additions without a doubling, and
//! the inversions, of `s` and of the point's denominator, are shared by all signatures (Montgomery's trick).
//! Nothing here is secret, so nothing has to take the same time.

use std::sync::OnceLock;

use k256::ecdsa::{Signature, VerifyingKey};
use k256::elliptic_curve::group::Group;
use k256::elliptic_curve::ops::{BatchInvert, Reduce};
use k256::elliptic_curve::point::AffineCoordinates;
use k256::elliptic_curve::BatchNormalize;
use k256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar, U256};
use openledger_types::signature::is_canonical;

/// Bytes of a scalar, each with a row of multiples of its own.
const ROWS: usize = 32;
/// Multiples in a row: those by 1 to 255.
const ENTRIES: usize = 255;
/// Signatures that share an inversion; bounds the memory of a call.
const BATCH: usize = 1_024;

/// Row i has `j·256^i` times a point, for j from 1 to 255.
struct Multiples(Vec<AffinePoint>);

impl Multiples {
    fn new(point: ProjectivePoint) -> Self {
        let mut multiples = Vec::with_capacity(ROWS * ENTRIES);
        let mut base = point;
        for _ in 0..ROWS {
            let mut next = base;
            for _ in 0..ENTRIES {
                multiples.push(next);
                next += base;
            }
            base = next;
        }
        Multiples(ProjectivePoint::batch_normalize(multiples.as_slice()))
    }

    /// Adds the point, times `scalar`, to `sum`.
    fn add(&self, sum: &mut ProjectivePoint, scalar: &Scalar) {
        for (row, byte) in self.0.chunks(ENTRIES).zip(scalar.to_bytes().iter().rev()) {
            if let Some(point) = byte.checked_sub(1).and_then(|at| row.get(usize::from(at))) {
                *sum += point;
            }
        }
    }
}

fn generator() -> &'static Multiples {
    static MULTIPLES: OnceLock<Multiples> = OnceLock::new();
    MULTIPLES.get_or_init(|| Multiples::new(ProjectivePoint::GENERATOR))
}

/// A public key whose signatures are checked in numbers. It holds 0.7 MB and costs about as much as 60 signatures
/// checked by [`verify_digest`](crate::verify_digest).
pub struct KnownKey(Multiples);

impl KnownKey {
    /// Signatures from which on a table pays.
    pub const LEAST: usize = 64;

    /// The key with this compressed form (33 bytes); none where that is no point of the curve.
    pub fn new(public_key: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_sec1_bytes(public_key).ok().filter(|_| public_key.len() == 33)?;
        Some(KnownKey(Multiples::new(key.as_affine().into())))
    }

    /// Whether each signature is the key's over its digest, as [`verify_digest`](crate::verify_digest) says it.
    pub fn verify(&self, signed: &[([u8; 32], &[u8])]) -> Vec<bool> {
        signed.chunks(BATCH).flat_map(|batch| self.verify_batch(batch)).collect()
    }

    fn verify_batch(&self, signed: &[([u8; 32], &[u8])]) -> Vec<bool> {
        let parsed: Vec<Option<Signature>> = signed
            .iter()
            .map(|(_, signature)| {
                is_canonical(signature).then(|| Signature::from_slice(signature).ok()).flatten()
            })
            .collect();
        // A signature that cannot be read takes no part: its s is replaced by 1, which has an inverse.
        let s: Vec<Scalar> =
            parsed.iter().map(|found| found.map_or(Scalar::ONE, |signature| *signature.s())).collect();
        let Some(inverses) = Option::<Vec<Scalar>>::from(Scalar::batch_invert(s.as_slice())) else {
            // No s is zero: the type of a signature's parts excludes it.
            return vec![false; signed.len()];
        };
        let sums: Vec<Option<ProjectivePoint>> = signed
            .iter()
            .zip(&parsed)
            .zip(&inverses)
            .map(|(((digest, _), found), inverse)| {
                let signature = found.as_ref()?;
                let z = <Scalar as Reduce<U256>>::reduce_bytes(&FieldBytes::from(*digest));
                let mut sum = ProjectivePoint::IDENTITY;
                generator().add(&mut sum, &(z * inverse));
                self.0.add(&mut sum, &(*signature.r() * inverse));
                // Who knows the key can choose r so that the sum is at infinity, which has no abscissa, and over
                // which the shared inversion of this release of k256 panics.
                (!bool::from(sum.is_identity())).then_some(sum)
            })
            .collect();
        let finite: Vec<ProjectivePoint> =
            sums.iter().map(|sum| sum.unwrap_or(ProjectivePoint::GENERATOR)).collect();
        let points: Vec<AffinePoint> = ProjectivePoint::batch_normalize(finite.as_slice());
        parsed
            .iter()
            .zip(sums)
            .zip(points)
            .map(|((found, sum), point)| {
                let abscissa = <Scalar as Reduce<U256>>::reduce_bytes(&point.x());
                sum.is_some() && found.is_some_and(|signature| *signature.r() == abscissa)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{verify_digest, Key};

    /// SHA-256 of a number.
    fn digest(number: u32) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        Sha256::digest(number.to_be_bytes()).into()
    }

    /// Every signature is judged as it is alone, whatever stands beside it in the batch.
    fn judged(key: &Key, signed: &[([u8; 32], Vec<u8>)]) -> Vec<bool> {
        let public = key.public_key();
        let alone: Vec<bool> =
            signed.iter().map(|(digest, signature)| verify_digest(&public, digest, signature)).collect();
        let batch: Vec<([u8; 32], &[u8])> =
            signed.iter().map(|(digest, signature)| (*digest, signature.as_slice())).collect();
        assert_eq!(KnownKey::new(&public).expect("a key of the curve").verify(&batch), alone);
        alone
    }

    #[test]
    fn honest_signatures_hold_and_each_changed_bit_fails() {
        let key = Key::from_bytes(&[3; 32]).unwrap();
        let mut signed: Vec<([u8; 32], Vec<u8>)> =
            (0..200).map(|n| (digest(n), key.sign_digest(&digest(n)).to_vec())).collect();
        assert!(judged(&key, &signed).into_iter().all(|holds| holds));
        for (n, (_, signature)) in signed.iter_mut().enumerate() {
            signature[n % 64] ^= 1 << (n % 8);
        }
        assert!(judged(&key, &signed).into_iter().all(|holds| !holds));
    }

    #[test]
    fn attack_hostile_signatures_are_refused_and_spoil_no_other() {
        let key = Key::from_bytes(&[5; 32]).unwrap();
        let good = (digest(1), key.sign_digest(&digest(1)).to_vec());
        // The order of the group, less s: as valid an equation, another form.
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let s: Scalar = *Signature::from_slice(&good.1).unwrap().s();
        let high = [&good.1[..32], (-s).to_bytes().as_slice()].concat();
        let with = |r: &[u8], s: &[u8]| (digest(1), [r, s].concat());
        let order = hex::decode(order).unwrap();
        let zero = [0u8; 32];
        let one = {
            let mut one = zero;
            one[31] = 1;
            one
        };
        let other = Key::from_bytes(&[6; 32]).unwrap();
        let mut signed = vec![
            good.clone(),
            (digest(1), high),
            with(&zero, &one),
            with(&one, &zero),
            with(&zero, &zero),
            with(&order, &one),
            with(&one, &one),
            (digest(1), Vec::new()),
            (digest(1), good.1[..63].to_vec()),
            (digest(1), [&good.1[..], &[0]].concat()),
            (digest(2), good.1.clone()),
            (digest(1), other.sign_digest(&digest(1)).to_vec()),
            ([0; 32], key.sign_digest(&[0; 32]).to_vec()),
            ([0xff; 32], key.sign_digest(&[0xff; 32]).to_vec()),
        ];
        signed.push(good);
        let mut expected = vec![false; signed.len()];
        for at in [0, 12, 13, 14] {
            expected[at] = true;
        }
        assert_eq!(judged(&key, &signed), expected);
        assert_eq!(KnownKey::new(&key.public_key()).unwrap().verify(&[]), Vec::<bool>::new());
    }

    #[test]
    fn attack_a_signature_whose_sum_is_at_infinity_is_refused_and_stops_nobody() {
        // z = -r·d makes z/s·G + r/s·Q the identity, whose abscissa no r equals.
        let secret = [9; 32];
        let key = Key::from_bytes(&secret).unwrap();
        let d = <Scalar as Reduce<U256>>::reduce_bytes(&FieldBytes::from(secret));
        let r = Scalar::from(77u64);
        let z: [u8; 32] = (-(r * d)).to_bytes().into();
        let signature = [r.to_bytes().as_slice(), Scalar::ONE.to_bytes().as_slice()].concat();
        let good = (digest(1), key.sign_digest(&digest(1)).to_vec());
        assert_eq!(judged(&key, &[good.clone(), (z, signature), good]), [true, false, true]);
    }

    /// `cargo test -p openledger-client --lib known_key -- --ignored --nocapture` prints both costs.
    #[test]
    #[ignore = "a measurement"]
    fn costs() {
        let key = Key::from_bytes(&[3; 32]).unwrap();
        let signed: Vec<([u8; 32], Vec<u8>)> =
            (0..2_000).map(|n| (digest(n), key.sign_digest(&digest(n)).to_vec())).collect();
        let batch: Vec<([u8; 32], &[u8])> = signed.iter().map(|(d, s)| (*d, s.as_slice())).collect();
        let (public, start) = (key.public_key(), std::time::Instant::now());
        assert!(batch.iter().all(|(digest, signature)| verify_digest(&public, digest, signature)));
        let alone = start.elapsed();
        let start = std::time::Instant::now();
        let known = KnownKey::new(&public).unwrap();
        let table = start.elapsed();
        assert!(known.verify(&batch).into_iter().all(|holds| holds));
        println!(
            "2,000 signatures: {alone:?} one by one, {:?} together, of which {table:?} for the table",
            start.elapsed()
        );
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_no_key() {
        assert!(KnownKey::new(&[2; 32]).is_none() && KnownKey::new(&[0xff; 33]).is_none());
        assert!(KnownKey::new(&[4; 65]).is_none());
    }
}

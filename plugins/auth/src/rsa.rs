//! RSA public keys and the two ways to sign with them (RFC 8017, 8.1.2 and 8.2.2).
//!
//! The arithmetic is `crypto-bigint`'s, which `jwt-simple` brings for its curves: it takes a fifth of the time of the
//! `rsa` crate (docs/decisions/0003-signatures.md). Nothing here is secret, so nothing has to take constant time.

use crate::{
    algorithm::{Algorithm, Family},
    hash::Hash,
    signature::Engine,
};
use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use superboring::{bn::BigNum, rsa::Rsa};

/// The shortest modulus (RFC 7518, 3.3), in bits. The longest is `superboring`'s: 4096.
const SHORTEST: u32 = 2048;

/// An RSA public key of 2048 to 4096 bits.
#[derive(Debug, Clone)]
pub(crate) struct RsaKey {
    /// Without zeros before it, so that its length is that of a signature.
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    montgomery: BoxedMontyParams,
    der: Vec<u8>,
}

impl RsaKey {
    /// `None` when the modulus is even or of another size, or the exponent is even, 1, or of more than 33 bits, which
    /// would let whoever publishes a key choose how long we calculate. Exponents such as 3 are weak where padding is
    /// read leniently, and here it is not read but compared. Zeros before the numbers, which RFC 7518, 6.3.1 forbids and
    /// some providers write, make no other key of it.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let number = |bytes| BigNum::from_slice(bytes).ok();
        let key = Rsa::from_public_components(number(modulus)?, number(exponent)?).ok()?;
        let (modulus, exponent) = (key.n().to_vec(), key.e().to_vec());
        let odd: Odd<BoxedUint> = Option::from(Odd::new(BoxedUint::from_be_slice_vartime(&modulus)))?;
        let der = key.public_key_to_der().ok().filter(|_| odd.bits_vartime() >= SHORTEST)?;
        Some(Self { modulus, exponent, montgomery: BoxedMontyParams::new_vartime(odd), der })
    }

    pub(crate) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    pub(crate) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// A signature is as long as the modulus and less than it (RFC 8017, 5.2.2), or there would be two of one.
    pub(crate) fn verify(&self, engine: &Engine, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if signature.len() != self.modulus.len() || signature >= self.modulus.as_slice() {
            return false;
        }
        let hash = algorithm.hash();
        match algorithm.family() {
            Family::RsaPkcs1 => engine.ask(algorithm, &self.der, signature, signed).unwrap_or_else(|| {
                let expected = pkcs1(hash, &hash.digest(&[signed]), self.modulus.len());
                expected.is_some() && self.open(signature) == expected
            }),
            Family::RsaPss => self.open(signature).and_then(|it| self.pss(hash, signed, &it)).is_some(),
            Family::EdDsa | Family::Ecdsa | Family::Hmac => false,
        }
    }

    /// What was signed: the signature to the power of the exponent (RFC 8017, 5.2.2), as long as the modulus.
    fn open(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let number = BoxedUint::from_be_slice(signature, self.montgomery.bits_precision()).ok()?;
        let base = BoxedMontyForm::new(number, &self.montgomery);
        let bits = self.exponent.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte.checked_shr(bit)));
        let after_the_first = bits.flatten().map(|it| it & 1 == 1).skip_while(|it| !it).skip(1);
        let power = after_the_first.fold(base.clone(), |power, bit| {
            let square = power.square();
            if bit { square.mul(&base) } else { square }
        });
        let power = power.retrieve().to_be_bytes();
        Some(power.get(power.len().checked_sub(self.modulus.len())?..)?.to_vec())
    }

    /// EMSA-PSS-VERIFY (RFC 8017, 9.1.2) with the salt length of RFC 7518, 3.5: the hash's.
    fn pss(&self, hash: Hash, signed: &[u8], opened: &[u8]) -> Option<()> {
        // The encoded message has a bit less than the modulus; where that saves a byte, the byte is zero.
        let bits = self.montgomery.modulus().bits_vartime().checked_sub(1)?;
        let (above, encoded) =
            opened.split_at_checked(opened.len().checked_sub(usize::try_from(bits.div_ceil(8)).ok()?)?)?;
        let top = 0xff_u8.checked_shr(bits.next_multiple_of(8).checked_sub(bits)?)?;
        let ([rest @ .., 0xbc], true) = (encoded, above.iter().all(|it| *it == 0)) else { return None };
        let (masked, tag) = rest.split_at_checked(rest.len().checked_sub(hash.length())?)?;
        if masked.first()? & !top != 0 {
            return None;
        }
        let mut block: Vec<u8> = masked.iter().zip(mask(hash, tag, masked.len())).map(|(a, b)| a ^ b).collect();
        *block.first_mut()? &= top;
        let (padding, salt) = block.split_at_checked(block.len().checked_sub(hash.length())?)?;
        let [zeros @ .., 1] = padding else { return None };
        let digest = hash.digest(&[&[0; 8], &hash.digest(&[signed]), salt]);
        (zeros.iter().all(|it| *it == 0) && digest == tag).then_some(())
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017, 9.2). There is one such text, so comparing with it leaves no padding to be read.
fn pkcs1(hash: Hash, digest: &[u8], length: usize) -> Option<Vec<u8>> {
    let prefix: [u8; 19] = match hash {
        Hash::Sha256 => *b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Hash::Sha384 => *b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Hash::Sha512 => *b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    };
    let padding = length.checked_sub(prefix.len())?.checked_sub(digest.len())?.checked_sub(3)?;
    Some([&[0, 1], vec![0xff; padding].as_slice(), &[0], &prefix, digest].concat())
}

/// MGF1 (RFC 8017, B.2.1).
fn mask(hash: Hash, seed: &[u8], length: usize) -> impl Iterator<Item = u8> {
    (0..u32::MAX).flat_map(move |counter| hash.digest(&[seed, &counter.to_be_bytes()])).take(length)
}

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
use std::ops::{Range, RangeInclusive};

/// The sizes of a modulus, in bits: at least what RFC 7518, 3.3 asks for, at most what is quick to calculate with.
const SIZES: RangeInclusive<u32> = 2048..=4096;
/// The same in bytes, to look at before anything is calculated.
const LENGTHS: RangeInclusive<usize> = 256..=512;
/// Exponents, odd ones of them, as BoringSSL has them: more bits would let whoever publishes a key choose how long we
/// calculate. Small ones are weak where padding is read leniently, and here it is not read but compared.
const EXPONENTS: Range<u64> = 3..1 << 33;

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
    /// `None` when the modulus is even or of another size, or the exponent is none of ours. Zeros before the numbers,
    /// which RFC 7518, 6.3.1 forbids and some providers write, make no other key of it.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let power =
            exponent.iter().try_fold(0u64, |so_far, byte| so_far.checked_mul(256)?.checked_add((*byte).into()))?;
        if !EXPONENTS.contains(&power) || power & 1 == 0 || !LENGTHS.contains(&modulus.len()) {
            return None;
        }
        let odd: Odd<BoxedUint> = Option::from(Odd::new(BoxedUint::from_be_slice_vartime(modulus)))?;
        let montgomery = SIZES.contains(&odd.bits_vartime()).then(|| BoxedMontyParams::new_vartime(odd))?;
        let der = spki(modulus, exponent)?;
        Some(Self { modulus: modulus.to_vec(), exponent: exponent.to_vec(), montgomery, der })
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

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|it| **it == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The key as the host wants it: SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) of an RSAPublicKey (RFC 8017, A.1.1).
fn spki(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    const RSA_ENCRYPTION: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let integer = |number: &[u8]| {
        let sign: &[u8] = if number.first()? & 0x80 == 0 { &[] } else { &[0] };
        der(0x02, &[sign, number])
    };
    let key = der(0x30, &[&integer(modulus)?, &integer(exponent)?])?;
    der(0x30, &[RSA_ENCRYPTION, &der(0x03, &[&[0], &key])?])
}

/// A value in DER (X.690, 8.1): a tag, the content's length in as few bytes as it takes, the content.
fn der(tag: u8, content: &[&[u8]]) -> Option<Vec<u8>> {
    let content = content.concat();
    let length = content.len().to_be_bytes();
    let head = match without_zeros(&length) {
        [short] if *short < 0x80 => vec![tag, *short],
        long => [&[tag, u8::try_from(long.len()).ok()? | 0x80], long].concat(),
    };
    Some([head, content].concat())
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::token::decode;

    /// Keys and signatures over "text" made with OpenSSL: the size in bits, the modulus, RS256, PS512.
    const UNEVEN: [(u32, &str, &str, &str); 2] = [
        (
            2049,
            "\
            AZpCMGrrTEyLRcDX4bhw8ctV4gF-rkYiF7o7T8QBbYRk2JTBKKDfJ00sFGJy920Xl9hvjmfMmbbNk7EmxEj2AqDm4mwyCY2IqTTQ\
            QIE-S2xsJ7IZjOp5b59VdnoaMBKehJNwFnuw_7X1B6x7rVODtPGy1iD5o7t5gq4U6OEZccJDcI8eHNjJtgEJY0HeBjrjCls5yB2U\
            Lg57DggO4qjrAp8cnJJZS6gaOHXYkzXFwWOC2XYDE9orIOHDRfAQeTahq7cZcZilJ_5vePr5i5poY9JdPVmkLgQcwVXahN9XiDv3\
            aJiscYd8ux50_L6xymhg2J8T89zx4nLjqK_Ze_p1SQ0",
            "\
            ADmTFQOJMpqkukosJfMgQ3WPlsGMqZWczMvIIKxAGzEYw0x8r6yGS7-X9pVsxPpV3J4BJ8Y6ctCQRQLQmbElO9kNNhKQKfVBAdh0\
            hm9h5Blapfsbru8twW1Keaz7pBheOumI6Pcuz5ewyMJjK1S3MClwBIYYP-MJE974G6pnpuuycHLyaRy3oHUpybTMLMaTBu0G6hG5\
            l8ZxuGYzQryFc7HzlMAWCv4KBFGE4L7XdIogtrwO72l1Wt3wPn9V9J6L6flC9X-tk3jlVr4_beGZ6oDf1Sgi0Es51sbzI6Z8zZVb\
            IIJjwBVXSkarAzU1jmXNGef_TB8XiM9V_OapKaT705Q",
            "\
            AXNyKTzIwnYgdIDVIjXW5Xq1OhTsOqkHzbc5XS5PSsUCt-TGeMo5EQg5yapyjTzHo0SfppOxquebg3Tj1w36Glzm9hp0thHStZva\
            mRE_W4h93vq0er-2tPw82W1BbK1iWfH0J3zR_ng99DxJp2ovlvRJfkq6L7QBmJPttmPwNNQNg2h9w-xRm_HKSwPGRGLko3XU08Jf\
            cwQgWVCGFSZzj7jOJlv3UF_wDW-FCSezMRKKb75IbpWeUXQnP3JZGSBhmne-0ihXTpAh3_OMeyy_ckkN7wUiSsRXj_p_x63tlVCd\
            1XjkRp6eebHmyyYe1Jv0qiJVUG1-VLakpIPUw8cqGU0",
        ),
        (
            2055,
            "\
            Zo6_S2EjMGELDb_b4FzpVaMUhHtzR9Opxd-w0_FAinbxSHdaSF4iqXmD6wdlGeJc1Pdu8l7I4fpgKunhAJkp_WwVohFyDNPy4stE\
            _TtBY3VjROAvaKlr_iEFn157v4iwrBj4M0ngvjn1p3vtV6wVkbbuPDuLMgMdaasIqOXjS83sZq2hpfwChAVsZoR2y6ubu4JOzdQt\
            ZB3P5p_ZDOVj1jzZG4uLZ2H3XNjr52Tx7xwA1-ZRxkk8j-3A7cRpBfOnKbd6_SZJcSzY1kuZVgDiRCM6-ahmVwWeTS9LxhK9BAs9\
            LHcs7GgmCfLDchzsmXkq5S2M02z8Jr-f7XpZ1PMu1I0",
            "\
            LM1knch3KaKVAr-pukS15S0NHvn2VC37noaeDUyF3JAUhrdzHh3Ve09dcA-bdQIaxk8NZv5gn-8B67Yq2A3XYXhNMk67zoVkvLMW\
            zyaiPHFc9X7z1S6hjsZqiSGmJooxq6rwnShaulgbJATIrKofxVTuwiX2zrSvfJE8GvBISg_lVEx3cd1ZAAy9pdYqGHMr4uc_nJf_\
            qJKG67Lx5ZpnBf-84kFrO8iqp-jolf1p9BX3n-rEM1MKfpREFv7YoQtjJut7jeAIQFqyUx9wlytSS00a43dbiY-61blV4tDyh5Hm\
            yVfoqkxhDGdRToTFOaOo6lX7iJUVOdstrRAtZiXfUsM",
            "\
            RjFesCdAx0nYnwpfkUtlm6BnXI2vHVmbkNspouMX3QLLEugYixCZvhKo-SMyz1qnuFJYyZ2LxSgrjOArp7Ksu0AajnJVxT3yynPw\
            lbjxGZILFS_5MQ480LH8qQdRvJ_-gHL6w17f0rYRXj156aXmkXaW_qh0ujM8BVuKRf0MAvlHEhRePVXLhCUYDN7WUtF4q6VtdquN\
            rf9ydeO2obnOYgVBlwhWkd2nxn_wiwn0q55txZs0X0ll2g3Zb1NZhIxPACLhdxKb6XtYTjPR66G_60PhP-S31D6mljyYkWEwFFYn\
            o3fwN2uI4sB6BzctH2tGRKa1pthhRD4J7QgoCoI6mqI",
        ),
    ];

    /// A modulus and an RS256 signature over "text".
    pub(crate) fn signed() -> (&'static str, &'static str) {
        (UNEVEN[0].1, UNEVEN[0].2)
    }

    /// The host finds the same key in it as we do.
    #[test]
    fn a_key_is_written_for_the_host_as_others_write_it() {
        use superboring::{bn::BigNum, rsa::Rsa};
        let number = |bytes: &[u8]| BigNum::from_slice(bytes).unwrap();
        for length in [256, 257, 300, 384, 512] {
            for first in [1, 0x7f, 0x80, 0xff] {
                for exponent in [&[3][..], &[0x81], &[1, 0, 1], &[0xff; 4], &[1, 0, 0, 0, 1]] {
                    let mut modulus = vec![0xab; length];
                    modulus[0] = first;
                    let Some(key) = RsaKey::new(&modulus, exponent) else {
                        assert!(length == 256 && first < 0x80, "{length} {first}");
                        continue;
                    };
                    let theirs = Rsa::from_public_components(number(&modulus), number(exponent)).unwrap();
                    assert_eq!(key.der, theirs.public_key_to_der().unwrap(), "{length} {first} {exponent:?}");
                }
            }
        }
    }

    /// A PSS text has a bit less than the modulus, and so a byte less where the modulus has a bit more than whole bytes.
    #[test]
    fn a_modulus_need_not_fill_its_first_byte() {
        for (bits, modulus, rs256, ps512) in UNEVEN {
            let key = RsaKey::new(&decode(modulus).unwrap(), &[1, 0, 1]).unwrap();
            assert_eq!(key.montgomery.modulus().bits_vartime(), bits);
            for (algorithm, signature) in [(Algorithm::Rs256, rs256), (Algorithm::Ps512, ps512)] {
                let signature = decode(signature).unwrap();
                let verify = |text: &[u8], signature: &[u8]| key.verify(&Engine::MODULE, algorithm, text, signature);
                assert!(verify(b"text", &signature), "{bits} {}", algorithm.name());
                assert!(!verify(b"texts", &signature), "{bits} {}", algorithm.name());
                assert!(!verify(b"text", &signature[1..]), "{bits} {}", algorithm.name());
            }
        }
    }
}

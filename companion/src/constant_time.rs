//! Comparing secrets in a time that does not depend on where they differ.

use std::hint::black_box;

/// Whether two digests are the same; every byte is looked at, whatever the first ones say.
#[must_use]
pub(crate) fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let pairs = one.iter().zip(other);
    black_box(pairs.fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_same_only_as_itself() {
        let digest: [u8; 32] = std::array::from_fn(|nth| nth.try_into().unwrap());
        assert!(is_same(&digest, &digest));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_same(&digest, &other), "{bit}");
        }
    }
}

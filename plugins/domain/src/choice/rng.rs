//! Chance, from a seed: SplitMix64, whose state is one number that every seed is good for (Steele, Lea, Flood 2014).
//!
//! It is a dozen operations, so a crate (each needs a decision record) would save nothing. It is for choosing among
//! candidates only: who sees its numbers can tell the next ones.

/// A source of numbers that are the same for the same seed.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The source that this seed makes.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, each of 2⁶⁴ as likely as any other.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// A number from 0 to below 1.
    pub(super) fn unit(&mut self) -> f64 {
        // The upper 32 bits, as many as `f64::from` takes: fine enough to tell candidates apart.
        f64::from(u32::try_from(self.number() >> 32).unwrap_or_default()) / 4_294_967_296.0
    }

    /// A number of the normal distribution around 0 with variance 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let (radius, turn) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // From the reference implementation in C, <https://prng.di.unimi.it/splitmix64.c>, with the seed 1234567.
        let mut rng = Rng::seeded(1_234_567);
        let seen: Vec<u64> = (0..3).map(|_| rng.number()).collect();
        assert_eq!(seen, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_thousand_numbers_are_spread_as_they_should_be() {
        let mut rng = Rng::seeded(7);
        let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / 1000.0;
        let units: Vec<f64> = (0..1000).map(|_| rng.unit()).collect();
        assert!(units.iter().all(|it| (0.0..1.0).contains(it)));
        assert!((mean(&units) - 0.5).abs() < 0.03);
        let normals: Vec<f64> = (0..1000).map(|_| rng.normal()).collect();
        let squares: Vec<f64> = normals.iter().map(|it| it * it).collect();
        assert!(mean(&normals).abs() < 0.1 && (mean(&squares) - 1.0).abs() < 0.15);
        assert!(normals.iter().all(|it| it.is_finite()));
    }
}

//! The one layer: a weight per feature in a byte, added up, and made a probability.
//!
//! The file is [`HEADER`] bytes of header (`TGS1`, then the numbers of [`Header`] in their order as little-endian `f32`) and a signed byte
//! per feature. Whoever trains writes it with [`Layer::encode`], so both sides agree by construction.

use crate::features::{FEATURES, Feature, Region};

/// How much more a long text may seem an attack than the worst of its windows does. Much that is harmless adds up in a long one: a
/// licence says "you", "must" and "not" on every line.
pub const BACKED: f32 = 1.0;

const MAGIC: &[u8; 4] = b"TGS1";
/// Bytes before the weights.
pub const HEADER: usize = 40;

/// What the weights are read with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// The logit of a text without features.
    pub bias: f32,
    /// What a weight of 1 is worth, by region: n-grams, pairs, rules.
    pub scales: [f32; 3],
    /// How much a window's logit counts less, times the logarithm of their number.
    pub window_penalty: f32,
    /// Probability is `sigmoid(slope * logit + offset)`.
    pub slope: f32,
    /// See `slope`.
    pub offset: f32,
    /// The probability from which a text is called an attack.
    pub threshold: f32,
    /// Not used yet.
    pub spare: f32,
}

impl Header {
    fn numbers(&self) -> [f32; 9] {
        let [grams, pairs, rules] = self.scales;
        let Self { bias, window_penalty, slope, offset, threshold, spare, .. } = *self;
        [bias, grams, pairs, rules, window_penalty, slope, offset, threshold, spare]
    }
}

/// Why a file is not a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsError {
    /// It has another length than [`HEADER`] and the features.
    Length(usize),
    /// It does not begin with `TGS1`.
    Version,
    /// A number of the header is not finite, or a threshold not between 0 and 1.
    Number,
}

/// See above.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'w> {
    header: Header,
    weights: &'w [u8],
}

impl<'w> Layer<'w> {
    /// Reads a file.
    ///
    /// # Errors
    /// The file is not one.
    pub fn parse(file: &'w [u8]) -> Result<Self, WeightsError> {
        let wrong = WeightsError::Length(file.len());
        let (head, weights) = file.split_at_checked(HEADER).ok_or(wrong)?;
        if weights.len() != FEATURES {
            return Err(wrong);
        }
        let numbers = head.strip_prefix(MAGIC).ok_or(WeightsError::Version)?;
        let mut numbers = numbers.chunks_exact(4).map(|it| f32::from_le_bytes(it.try_into().unwrap_or_default()));
        let mut next = || numbers.next().filter(|it| it.is_finite()).ok_or(WeightsError::Number);
        let header = Header {
            bias: next()?,
            scales: [next()?, next()?, next()?],
            window_penalty: next()?,
            slope: next()?,
            offset: next()?,
            threshold: next()?,
            spare: next()?,
        };
        if !(0.0..=1.0).contains(&header.threshold) {
            return Err(WeightsError::Number);
        }
        Ok(Self { header, weights })
    }

    /// Writes a file; `None` if there is not a weight for each feature.
    #[must_use]
    pub fn encode(header: &Header, weights: &[i8]) -> Option<Vec<u8>> {
        if weights.len() != FEATURES {
            return None;
        }
        let mut file = MAGIC.to_vec();
        file.extend(header.numbers().iter().flat_map(|it| it.to_le_bytes()));
        file.extend(weights.iter().map(|it| it.cast_unsigned()));
        Some(file)
    }

    /// What the file says besides weights.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The sum over the features, before calibration.
    #[must_use]
    pub fn logit(&self, features: &[Feature]) -> f32 {
        let mut sums = [0.0_f32; 3];
        for (index, value) in features {
            let weight = usize::try_from(*index).ok().and_then(|it| self.weights.get(it));
            let weight = f32::from(weight.copied().unwrap_or_default().cast_signed());
            let [grams, pairs, rules] = &mut sums;
            match Region::of(*index) {
                Region::Grams => *grams += weight * value,
                Region::Pairs => *pairs += weight * value,
                Region::Rules => *rules += weight * value,
            }
        }
        sums.iter().zip(self.header.scales).fold(self.header.bias, |all, (sum, scale)| all + sum * scale)
    }

    /// What one feature adds to the logit.
    #[must_use]
    pub fn share(&self, (index, value): Feature) -> f32 {
        self.logit(&[(index, value)]) - self.header.bias
    }

    /// The logit of a text whose windows have these: the whole text's first.
    #[must_use]
    pub fn combine(&self, logits: &[f32]) -> f32 {
        let Some((whole, windows)) = logits.split_first() else { return self.header.bias };
        let count = u16::try_from(windows.len()).map_or(f32::from(u16::MAX), f32::from);
        let less = self.header.window_penalty * count.max(1.0).ln();
        let Some(worst) = windows.iter().copied().reduce(f32::max) else { return *whole };
        (worst - less).max(whole.min(worst + BACKED))
    }

    /// The probability that goes with a logit.
    #[must_use]
    pub fn probability(&self, logit: f32) -> f32 {
        1.0 / (1.0 + (-(self.header.slope * logit + self.header.offset)).exp())
    }

    /// The probability of a text with these features.
    #[must_use]
    pub fn score(&self, features: &[Feature]) -> f32 {
        self.probability(self.logit(features))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Header = Header {
        bias: -1.0,
        scales: [0.5, 1.0, 2.0],
        window_penalty: 1.0,
        slope: 1.0,
        offset: 0.0,
        threshold: 0.5,
        spare: 0.0,
    };

    fn check(spoil: impl FnOnce(&mut Vec<u8>)) -> Option<WeightsError> {
        let mut file = Layer::encode(&PLAIN, &vec![0; FEATURES]).unwrap();
        spoil(&mut file);
        Layer::parse(&file).err()
    }

    #[test]
    fn what_is_no_layer_is_refused() {
        assert_eq!(check(|_| ()), None);
        assert_eq!(check(|it| it.truncate(7)), Some(WeightsError::Length(7)));
        assert_eq!(check(|it| it[3] = b'9'), Some(WeightsError::Version));
        assert_eq!(check(|it| it[4..8].copy_from_slice(&f32::NAN.to_le_bytes())), Some(WeightsError::Number));
        assert_eq!(check(|it| it[32..36].copy_from_slice(&2.0_f32.to_le_bytes())), Some(WeightsError::Number));
    }

    #[test]
    fn weights_count_by_their_region() {
        let mut weights = vec![0; FEATURES];
        weights[0] = 2;
        weights[FEATURES - 1] = -3;
        let file = Layer::encode(&PLAIN, &weights).unwrap();
        let layer = Layer::parse(&file).unwrap();
        let last = u32::try_from(FEATURES - 1).unwrap();
        assert_eq!(layer.logit(&[(0, 1.0), (last, 0.5), (u32::MAX, 9.0)]), -1.0 + 1.0 - 3.0);
    }

    #[test]
    fn the_worst_window_counts_but_less_the_more_there_are() {
        let file = Layer::encode(&PLAIN, &vec![0; FEATURES]).unwrap();
        let layer = Layer::parse(&file).unwrap();
        assert_eq!(layer.combine(&[1.0]), 1.0);
        assert_eq!(layer.combine(&[1.0, 3.0]), 3.0);
        assert_eq!(layer.combine(&[9.0, 1.0]), 1.0 + BACKED);
        assert_eq!(layer.combine(&[-9.0, 1.0]), 1.0);
        assert!((layer.combine(&[1.0, 3.0, 0.0]) - (3.0 - 2.0_f32.ln())).abs() < 1e-6);
        assert_eq!(layer.probability(0.0), 0.5);
    }
}

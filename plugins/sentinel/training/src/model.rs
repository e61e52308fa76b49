//! The logistic layer in floating point, and how it learns.

use crate::texts::{Text, Unit};
use sentinel::{BACKED, FEATURES, Region};

/// Choices of training. The values are those that the folds liked best.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    pub(crate) epochs: u32,
    /// Length of a step, before AdaGrad shortens it.
    pub(crate) step: f32,
    /// How much each weight is drawn to zero whenever it is seen: n-grams, pairs, rules.
    pub(crate) decay: [f32; 3],
    /// How often the n-grams of a text are left out, so that rules learn to stand alone.
    pub(crate) without_grams: f32,
    /// How much more harmless texts count.
    pub(crate) harmless: f32,
    /// See [`sentinel::Header`].
    pub(crate) window_penalty: f32,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            epochs: 8,
            step: 0.15,
            decay: [2e-4, 2e-4, 1e-4],
            without_grams: 0.15,
            harmless: 1.0,
            window_penalty: 0.3,
        }
    }
}

/// Weights.
pub(crate) struct Model {
    pub(crate) bias: f32,
    pub(crate) weights: Vec<f32>,
    pub(crate) window_penalty: f32,
}

/// Xorshift: numbers that are the same on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn is(&mut self, chance: f32) -> bool {
        ((self.next() >> 40) as f32) < chance * (1 << 24) as f32
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for at in (1..order.len()).rev() {
            let other = (self.next() % (at as u64 + 1)) as usize;
            order.swap(at, other);
        }
    }
}

impl Model {
    /// Learns from texts.
    pub(crate) fn train(texts: &[&Text], choices: &Choices) -> Self {
        let mut model = Self { bias: -1.0, weights: vec![0.0; FEATURES], window_penalty: choices.window_penalty };
        let mut slopes = vec![1e-3_f32; FEATURES];
        let mut chance = Chance(0x7011_6a7e);
        let mut order: Vec<usize> = (0..texts.len()).collect();
        for epoch in 0..choices.epochs {
            chance.shuffle(&mut order);
            let step = choices.step * (1.0 - epoch as f32 / choices.epochs as f32 * 0.8);
            for at in &order {
                let text = texts[*at];
                // The first epoch knows nothing yet of where in a long text the attack is.
                if epoch == 0 && text.attack && text.units.len() > 1 {
                    continue;
                }
                let (logit, unit) = model.judge(text);
                let weight = text.weight * if text.attack { 1.0 } else { choices.harmless };
                let error = sigmoid(logit) - f32::from(u8::from(text.attack));
                if error.abs() * weight > 1e-3 {
                    let only_rules = chance.is(choices.without_grams);
                    model.learn(unit, error * weight.min(4.0), step, &choices.decay, only_rules, &mut slopes);
                }
            }
        }
        model
    }

    /// The logit of a text and the part of it that decides, as [`sentinel::Layer::combine`] has it.
    pub(crate) fn judge<'t>(&self, text: &'t Text) -> (f32, &'t Unit) {
        let whole = (self.logit(&text.units[0]), &text.units[0]);
        let windows = text.units[1..].iter().map(|unit| (self.logit(unit), unit));
        let Some(worst) = windows.reduce(|worst, it| if it.0 > worst.0 { it } else { worst }) else { return whole };
        let alone = worst.0 - self.window_penalty * ((text.units.len() - 1) as f32).ln();
        if whole.0 > worst.0 + BACKED {
            (worst.0 + BACKED, worst.1)
        } else if whole.0 > alone {
            whole
        } else {
            (alone, worst.1)
        }
    }

    fn logit(&self, unit: &Unit) -> f32 {
        unit.features().fold(self.bias, |sum, (index, value)| sum + self.weights[index as usize] * value)
    }

    fn learn(&mut self, unit: &Unit, error: f32, step: f32, decay: &[f32; 3], only_rules: bool, slopes: &mut [f32]) {
        self.bias -= 0.01 * step * error;
        let mut learn = |(index, value): (u32, f32)| {
            let at = index as usize;
            let pull = match Region::of(index) {
                Region::Grams => decay[0],
                Region::Pairs => decay[1],
                Region::Rules => decay[2],
            };
            let slope = error * value + pull * self.weights[at];
            slopes[at] += slope * slope;
            self.weights[at] -= step * slope / slopes[at].sqrt();
        };
        if only_rules { unit.rest().for_each(&mut learn) } else { unit.features().for_each(&mut learn) }
    }
}

pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

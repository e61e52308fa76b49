//! Weights in a byte each, as the gateway reads them.

use crate::model::Model;
use crate::texts::Text;
use sentinel::{Header, Layer, Region};

/// The file for a model, whose threshold is where `logit` becomes `score`: operators see probabilities, and 0.5 is the shipped threshold.
pub(crate) fn encode(model: &Model, threshold: f32) -> Option<Vec<u8>> {
    let mut scales = [0.0_f32; 3];
    for region in [Region::Grams, Region::Pairs, Region::Rules] {
        let of = |it: &(u32, &f32)| Region::of(it.0) == region;
        let mut sizes: Vec<f32> =
            (0..).zip(&model.weights).filter(of).map(|(_, it)| it.abs()).filter(|it| *it > 0.0).collect();
        sizes.sort_by(f32::total_cmp);
        // One weight of a hundred thousand must not make all others coarse.
        let largest = sizes.get(sizes.len().saturating_sub(1 + sizes.len() / 20_000)).copied().unwrap_or(1.0);
        scales[place(region)] = largest / 127.0;
    }
    let byte =
        |(index, weight): (u32, &f32)| (weight / scales[place(Region::of(index))]).round().clamp(-127.0, 127.0) as i8;
    let weights: Vec<i8> = (0..).zip(&model.weights).map(byte).collect();
    let header = Header {
        bias: model.bias,
        scales,
        window_penalty: model.window_penalty,
        slope: 1.0,
        offset: -threshold,
        threshold: 0.5,
        spare: 0.0,
    };
    Layer::encode(&header, &weights)
}

fn place(region: Region) -> usize {
    match region {
        Region::Grams => 0,
        Region::Pairs => 1,
        Region::Rules => 2,
    }
}

/// The logit that the gateway gets for a text, before calibration.
pub(crate) fn judge(layer: &Layer, text: &Text) -> f32 {
    let logits: Vec<f32> = text.units.iter().map(|it| layer.logit(&it.features().collect::<Vec<_>>())).collect();
    layer.combine(&logits)
}
